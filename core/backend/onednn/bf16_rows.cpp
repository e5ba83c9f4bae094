// Bound by the caches the rows lie in.
#include "core/backend/onednn/bf16_rows.h"

#include <algorithm>
#include <bit>

#include "core/base/vectorised.h"

namespace moe {
namespace {

SWITCHYARD_INLINE std::uint16_t rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t up = bits + 0x7fffu + ((bits >> 16) & 1u);
  return static_cast<std::uint16_t>((value != value ? 0x7fc00000u : up) >> 16);
}
SWITCHYARD_INLINE float widened(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

SWITCHYARD_VECTORISED void roundLoop(BFloat16* out, const float* in, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i].bits = rounded(in[i]);
}

SWITCHYARD_VECTORISED void scaleLoop(BFloat16* out, const float* in, float factor, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i].bits = rounded(factor * in[i]);
}

SWITCHYARD_VECTORISED void widenLoop(float* out, const BFloat16* in, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) out[i] = widened(in[i].bits);
}

SWITCHYARD_VECTORISED void addLoop(float* sum, const BFloat16* y, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) sum[i] += widened(y[i].bits);
}

}  // namespace

void toBf16(BFloat16* out, const float* in, std::int64_t n) { roundLoop(out, in, n); }
void toBf16Scaled(BFloat16* out, const float* in, float factor, std::int64_t n) { scaleLoop(out, in, factor, n); }
void fromBf16(float* out, const BFloat16* in, std::int64_t n) { widenLoop(out, in, n); }

void toBf16Rows(BFloat16* out, const float* in, std::int64_t stride, std::int64_t rows, std::int64_t padded,
                std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row) roundLoop(out + row * n, in + row * stride, n);
  std::fill(out + rows * n, out + padded * n, BFloat16{});
}

void copyColumns(BFloat16* out, const BFloat16* in, std::int64_t stride, std::int64_t rows, std::int64_t padded,
                 std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row) std::copy_n(in + row * stride, n, out + row * n);
  std::fill(out + rows * n, out + padded * n, BFloat16{});
}

void addColumnSums(float* sum, const BFloat16* y, std::int64_t stride, std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row) addLoop(sum, y + row * stride, n);
}

}  // namespace moe
