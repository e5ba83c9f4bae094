#pragma once

#include <algorithm>
#include <cmath>
#include <span>

namespace moe {

/// log(sum of exp(values)) without overflow; minus infinity where every value is. `values` is not empty.
inline double logSumExp(std::span<const double> values) {
  const double largest = *std::max_element(values.begin(), values.end());
  if (!std::isfinite(largest)) return largest;
  double sum = 0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

}  // namespace moe
