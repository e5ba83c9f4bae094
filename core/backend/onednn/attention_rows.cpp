#include "core/backend/onednn/attention_rows.h"

#include <algorithm>
#include <cmath>

#include "core/backend/onednn/few_rows.h"
#include "core/backend/onednn/rows.h"
#include "core/base/vector_math.h"

namespace moe {
namespace {

SWITCHYARD_VECTORISED float softmaxRow(float* x, float* largestOut, std::int64_t valid, std::int64_t n) {
  const float largest = vectorMax(x, valid);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < valid; ++i) {
    x[i] = vectorExp(x[i] - largest);
    sum += x[i];
  }
  for (std::int64_t i = valid; i < n; ++i) x[i] = 0;
  *largestOut = largest;
  return sum;
}

SWITCHYARD_VECTORISED void expRow(float* x, float logSum, std::int64_t valid, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < valid; ++i) x[i] = vectorExp(x[i] - logSum);
  for (std::int64_t i = valid; i < n; ++i) x[i] = 0;
}

SWITCHYARD_VECTORISED void backwardRow(float* d, const float* p, float delta, float scale, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) d[i] = scale * p[i] * (d[i] - delta);
}

/// out (width) = sum of weight (count) * rows (count, width), `stride` apart.
SWITCHYARD_VECTORISED void weighedSum(float* out, const float* weight, const float* rows, std::int64_t count,
                                      std::int64_t width, std::int64_t stride) {
  for (std::int64_t i = 0; i < width; ++i) out[i] = 0;
  for (std::int64_t j = 0; j < count; ++j) {
    const float *row = rows + j * stride, factor = weight[j];
#pragma omp simd
    for (std::int64_t i = 0; i < width; ++i) out[i] += factor * row[i];
  }
}

SWITCHYARD_VECTORISED void rotateRow(float* out, const float* in, const float* cosine, const float* sine,
                                     float direction, std::int64_t half) {
#pragma omp simd
  for (std::int64_t i = 0; i < half; ++i) {
    const float a = in[i], b = in[i + half], s = direction * sine[i];
    out[i] = a * cosine[i] - b * s;
    out[i + half] = a * s + b * cosine[i];
  }
}

}  // namespace

void causalSoftmax(float* scores, float* inverseSum, float* logSum, std::int64_t logSumStride, std::int64_t first,
                   std::int64_t rows, std::int64_t keys, std::int64_t ld) {
  for (std::int64_t row = 0; row < rows; ++row) {
    float largest = 0;
    const float sum = softmaxRow(scores + row * ld, &largest, std::min(keys, first + row + 1), keys);
    inverseSum[row] = 1.0f / sum;
    if (logSum) logSum[row * logSumStride] = largest + std::log(sum);
  }
}

void causalProbabilities(float* scores, const float* logSum, std::int64_t logSumStride, std::int64_t first,
                         std::int64_t rows, std::int64_t keys, std::int64_t ld) {
  for (std::int64_t row = 0; row < rows; ++row)
    expRow(scores + row * ld, logSum[row * logSumStride], std::min(keys, first + row + 1), keys);
}

void softmaxBackward(float* dScores, const float* probabilities, const float* delta, float scale, std::int64_t rows,
                     std::int64_t keys, std::int64_t ld) {
  for (std::int64_t row = 0; row < rows; ++row)
    backwardRow(dScores + row * ld, probabilities + row * ld, delta[row], scale, keys);
}

void scaleRows(float* y, std::int64_t ldy, const float* factor, std::int64_t rows, std::int64_t width) {
  for (std::int64_t row = 0; row < rows; ++row) scaleRow(y + row * ldy, factor[row], width);
}

void rowDots(float* out, const float* a, const float* b, std::int64_t stride, std::int64_t rows, std::int64_t width) {
  for (std::int64_t row = 0; row < rows; ++row)
    out[row] = static_cast<float>(dotRow(a + row * stride, b + row * stride, width));
}

void rotateRows(float* out, std::int64_t outStride, const float* in, std::int64_t inStride, const float* rotations,
                float direction, std::int64_t rows, std::int64_t width) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* cosine = rotations + row * width;
    rotateRow(out + row * outStride, in + row * inStride, cosine, cosine + width / 2, direction, width / 2);
  }
}

void attendPast(float* out, const float* query, const float* keys, const float* values, float* scores,
                std::int64_t count, std::int64_t width, std::int64_t stride) {
  fewRowsTimesWeight(scores, count, query, width, keys, stride, 1, count, width, false);
  scaleRow(scores, 1.0f / std::sqrt(static_cast<float>(width)), count);
  float largest = 0;
  const float sum = softmaxRow(scores, &largest, count, count);
  weighedSum(out, scores, values, count, width, stride);
  scaleRow(out, 1.0f / sum, width);
}

}  // namespace moe
