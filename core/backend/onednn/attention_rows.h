#pragma once
#include <cstdint>

namespace moe {

/// Scores (rows, keys) of queries [first, first + rows) against keys [0, keys), row stride ld, become exp(score -
/// largest) within the causal limit (key <= query) and 0 beyond it. inverseSum and logSum (rows), the latter with its
/// stride.
void causalSoftmax(float* scores, float* inverseSum, float* logSum, std::int64_t logSumStride, std::int64_t first,
                   std::int64_t rows, std::int64_t keys, std::int64_t ld);
/// Scores become probabilities exp(score - logSum), 0 beyond the causal limit.
void causalProbabilities(float* scores, const float* logSum, std::int64_t logSumStride, std::int64_t first,
                         std::int64_t rows, std::int64_t keys, std::int64_t ld);
/// dScores (rows, keys): holds dOut . value, becomes scale * probability * (dOut . value - delta of the row).
void softmaxBackward(float* dScores, const float* probabilities, const float* delta, float scale, std::int64_t rows,
                     std::int64_t keys, std::int64_t ld);
/// rows of y (stride ldy) *= factor of the row.
void scaleRows(float* y, std::int64_t ldy, const float* factor, std::int64_t rows, std::int64_t width);
/// out (rows) = a . b row by row, both with this stride.
void rowDots(float* out, const float* a, const float* b, std::int64_t stride, std::int64_t rows, std::int64_t width);
/// Turns the pairs (i, i + width/2) of each row by its row of rotations (rows, width): cosines, then sines of width/2
/// angles. direction -1 turns back. In place is fine.
void rotateRows(float* out, std::int64_t outStride, const float* in, std::int64_t inStride, const float* rotations,
                float direction, std::int64_t rows, std::int64_t width);
/// One new query over `count` past keys and values of its head, whose rows lie `stride` apart. scores (count) is
/// working memory.
void attendPast(float* out, const float* query, const float* keys, const float* values, float* scores,
                std::int64_t count, std::int64_t width, std::int64_t stride);

}  // namespace moe
