#include "core/backend/onednn/gemm.h"

#include "core/base/vectorised.h"

namespace moe {
namespace {

// Four rows at a time share the loads of x and hide the latency of the sums.
SWITCHYARD_VECTORISED void dots(float* y, const float* weight, const float* x, std::int64_t outputs,
                                std::int64_t inputs) {
  std::int64_t o = 0;
  for (; o + 4 <= outputs; o += 4) {
    const float *w0 = weight + o * inputs, *w1 = w0 + inputs, *w2 = w1 + inputs, *w3 = w2 + inputs;
    float s0 = 0, s1 = 0, s2 = 0, s3 = 0;
#pragma omp simd reduction(+ : s0, s1, s2, s3)
    for (std::int64_t i = 0; i < inputs; ++i) {
      s0 += w0[i] * x[i];
      s1 += w1[i] * x[i];
      s2 += w2[i] * x[i];
      s3 += w3[i] * x[i];
    }
    y[o] += s0;
    y[o + 1] += s1;
    y[o + 2] += s2;
    y[o + 3] += s3;
  }
  for (; o < outputs; ++o) {
    const float* w = weight + o * inputs;
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::int64_t i = 0; i < inputs; ++i) sum += w[i] * x[i];
    y[o] += sum;
  }
}

}  // namespace

void matrixVector(float* y, const float* weight, const float* x, std::int64_t outputs, std::int64_t inputs,
                  bool accumulate) {
  if (!accumulate) std::fill_n(y, outputs, 0.0f);
  dots(y, weight, x, outputs, inputs);
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
