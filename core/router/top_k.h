#pragma once
#include <cstdint>
#include <limits>

namespace moe {

/// Indices of the k largest of n values, descending, the lower index first among equals; -1 behind where fewer than k
/// are above -inf. Returns how many were found. `stride` between the values.
template <class S>
int largest(std::int32_t* out, const S* values, std::int64_t n, int k, std::int64_t stride = 1) {
  int found = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const S v = values[i * stride];
    if (found == k && !(v > values[out[k - 1] * stride])) continue;
    if (!(v > -std::numeric_limits<S>::infinity())) continue;
    int place = found < k ? found++ : k - 1;
    for (; place > 0 && v > values[out[place - 1] * stride]; --place) out[place] = out[place - 1];
    out[place] = static_cast<std::int32_t>(i);
  }
  for (int j = found; j < k; ++j) out[j] = -1;
  return found;
}

}  // namespace moe
