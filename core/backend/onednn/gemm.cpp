#include "core/backend/onednn/gemm.h"

#include "core/backend/onednn/rows.h"
#include "core/backend/onednn/vectorised.h"

namespace moe {
namespace {

// Four rows at a time share the loads of x and hide the latency of the sums.
SWITCHYARD_VECTORISED void fourDots(float* y, const float* w, const float* x, std::int64_t inputs) {
  const float *w1 = w + inputs, *w2 = w + 2 * inputs, *w3 = w + 3 * inputs;
  float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
  for (std::int64_t i = 0; i < inputs; ++i) {
    s0 += w[i] * x[i];
    s1 += w1[i] * x[i];
    s2 += w2[i] * x[i];
    s3 += w3[i] * x[i];
  }
  y[0] += s0;
  y[1] += s1;
  y[2] += s2;
  y[3] += s3;
}

}  // namespace

void matrixVector(float* y, const float* weight, const float* x, std::int64_t outputs, std::int64_t inputs,
                  bool accumulate) {
  if (!accumulate) std::fill_n(y, outputs, 0.0f);
  std::int64_t o = 0;
  for (; o + 4 <= outputs; o += 4) fourDots(y + o, weight + o * inputs, x, inputs);
  for (; o < outputs; ++o) y[o] += static_cast<float>(dotRow(weight + o * inputs, x, inputs));
}

void rowsTimesWeight(float* y, std::int64_t ldy, const float* x, std::int64_t ldx, const float* weight,
                     std::int64_t rows, std::int64_t outputs, std::int64_t inputs, bool accumulate) {
  if (rows == 1) return matrixVector(y, weight, x, outputs, inputs, accumulate);
  gemmOnThisThread({.transposeB = true,
                    .m = rows,
                    .n = outputs,
                    .k = inputs,
                    .a = x,
                    .lda = ldx,
                    .b = weight,
                    .ldb = inputs,
                    .beta = accumulate ? 1.0f : 0.0f,
                    .c = y,
                    .ldc = ldy});
}

}  // namespace moe
