#pragma once
#include <algorithm>
#include <cstdint>

#include "core/backend/onednn/dnnl_version.h"

namespace moe {

/// [begin, end) of part `index` of `parts`: the same split every time, so that sums per part do not depend on timing.
struct Range {
  std::int64_t begin = 0, end = 0;
};
inline Range partOf(std::int64_t count, int parts, int index) {
  return {count * index / parts, count * (index + 1) / parts};
}

/// Rows a tile of an (m, n, k) product should have, for about `wanted` tiles: a multiple of 16, not under 64, since
/// thinner ones leave the kernel below 90 % of its speed.
inline std::int64_t gemmTileRows(std::int64_t m, int wanted) {
  const std::int64_t even = (m + wanted - 1) / wanted;
  return std::max<std::int64_t>(64, (even + 15) / 16 * 16);
}

/// y (T, O) = x (T, I) W^T (O, I) on the calling thread, + y where accumulate; row strides ldx, ldy.
void rowsTimesWeight(float* y, std::int64_t ldy, const float* x, std::int64_t ldx, const float* weight,
                     std::int64_t rows, std::int64_t outputs, std::int64_t inputs, bool accumulate);

}  // namespace moe
