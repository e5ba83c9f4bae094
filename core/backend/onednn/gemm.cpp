#include "core/backend/onednn/gemm.h"

#include "core/backend/onednn/few_rows.h"

namespace moe {

void rowsTimesWeight(float* y, std::int64_t ldy, const float* x, std::int64_t ldx, const float* weight,
                     std::int64_t rows, std::int64_t outputs, std::int64_t inputs, bool accumulate) {
  if (rows <= kFewRows) return fewRowsTimesWeight(y, ldy, x, ldx, weight, inputs, rows, outputs, inputs, accumulate);
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
