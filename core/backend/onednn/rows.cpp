// Bound by memory, or by the caches the rows lie in.
#include "core/backend/onednn/rows.h"

#include "core/base/vectorised.h"

namespace moe {
namespace {

SWITCHYARD_VECTORISED float dotLoop(const float* a, const float* b, std::int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

SWITCHYARD_VECTORISED void addLoop(float* y, const float* x, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] += x[i];
}

SWITCHYARD_VECTORISED void addScaledLoop(float* y, const float* x, float factor, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

SWITCHYARD_VECTORISED void copyScaledLoop(float* y, const float* x, float factor, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] = factor * x[i];
}

SWITCHYARD_VECTORISED void scaleLoop(float* x, float factor, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) x[i] *= factor;
}

}  // namespace

double dotRow(const float* a, const float* b, std::int64_t n) { return dotLoop(a, b, n); }
void addRow(float* y, const float* x, std::int64_t n) { addLoop(y, x, n); }
void addScaledRow(float* y, const float* x, float factor, std::int64_t n) { addScaledLoop(y, x, factor, n); }
void copyScaledRow(float* y, const float* x, float factor, std::int64_t n) { copyScaledLoop(y, x, factor, n); }
void scaleRow(float* x, float factor, std::int64_t n) { scaleLoop(x, factor, n); }

void addBias(float* y, std::int64_t stride, const float* bias, std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row) addLoop(y + row * stride, bias, n);
}

void addColumnSums(float* sum, const float* y, std::int64_t stride, std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row) addLoop(sum, y + row * stride, n);
}

}  // namespace moe
