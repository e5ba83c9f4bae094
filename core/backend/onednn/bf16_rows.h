#pragma once
#include <cstdint>

#include "core/tensor/dtype.h"

namespace moe {

/// Working memory given out as f32, to hold bf16: twice as many elements.
inline BFloat16* asBf16(float* memory) { return static_cast<BFloat16*>(static_cast<void*>(memory)); }

// Between f32 and bf16, each vectorised. n: elements of a row.

/// Rounds to nearest, ties to even; NaN stays NaN.
void toBf16(BFloat16* out, const float* in, std::int64_t n);
/// out = factor * in, rounded once.
void toBf16Scaled(BFloat16* out, const float* in, float factor, std::int64_t n);
/// Rows of `in` `stride` apart, of `out` dense; rows [rows, padded) of `out` become 0.
void toBf16Rows(BFloat16* out, const float* in, std::int64_t stride, std::int64_t rows, std::int64_t padded,
                std::int64_t n);
/// `out` dense, rows of `in` `stride` apart; rows [rows, padded) of `out` become 0.
void copyColumns(BFloat16* out, const BFloat16* in, std::int64_t stride, std::int64_t rows, std::int64_t padded,
                 std::int64_t n);
/// Exact.
void fromBf16(float* out, const BFloat16* in, std::int64_t n);
/// sum (n) += each of `rows` rows of y, `stride` apart, in order.
void addColumnSums(float* sum, const BFloat16* y, std::int64_t stride, std::int64_t rows, std::int64_t n);

}  // namespace moe
