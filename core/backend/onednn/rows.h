#pragma once
#include <cstdint>

namespace moe {

// Loops over rows of f32 that more than one operation needs, each vectorised. n: elements of a row.

double dotRow(const float* a, const float* b, std::int64_t n);
/// y += x.
void addRow(float* y, const float* x, std::int64_t n);
/// y += factor * x.
void addScaledRow(float* y, const float* x, float factor, std::int64_t n);
/// y = factor * x.
void copyScaledRow(float* y, const float* x, float factor, std::int64_t n);
/// x *= factor.
void scaleRow(float* x, float factor, std::int64_t n);
/// Each of `rows` rows of y, `stride` apart, += bias (n).
void addBias(float* y, std::int64_t stride, const float* bias, std::int64_t rows, std::int64_t n);
/// sum (n) += each of `rows` rows of y, `stride` apart, in order.
void addColumnSums(float* sum, const float* y, std::int64_t stride, std::int64_t rows, std::int64_t n);

}  // namespace moe
