// Bound by arithmetic (a few tokens: by memory); 86 to 100 % of the sgemm peak at the bench models' sizes. Tasks are
// tiles of an output's rows; the weight gradient is tiled by its own rows, so each element is one GEMM's sum whatever
// the timing.
#include "core/backend/onednn/few_rows.h"
#include "core/backend/onednn/gemm.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/onednn/rows.h"

namespace moe {

void OnednnBackend::linear(const TensorView& y, const TensorView& x, const TensorView& weight, const TensorView& bias,
                           bool accumulate) {
  const auto timed = timer_.time("linear");
  const bool narrow = inBf16(x.elements() / weight.shape[1], weight.shape[0], weight.shape[1]);
  narrow ? multiplyBf16(y, x, weight, bias, accumulate) : multiply(y, x, weight, bias, accumulate);
}

void OnednnBackend::linearBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                                   const TensorView& dy, const TensorView& x, const TensorView& weight,
                                   bool accumulateDx, Gradients gradients) {
  const auto timed = timer_.time("linear backward");
  const bool narrow = inBf16(x.elements() / weight.shape[1], weight.shape[0], weight.shape[1]);
  narrow ? multiplyBackwardBf16(dx, dWeight, dBias, dy, x, weight, accumulateDx, gradients)
         : multiplyBackward(dx, dWeight, dBias, dy, x, weight, accumulateDx, gradients);
}

void OnednnBackend::multiply(const TensorView& y, const TensorView& x, const TensorView& weight, const TensorView& bias,
                             bool accumulate) {
  const std::int64_t inputs = weight.shape[1], outputs = weight.shape[0], tokens = x.elements() / inputs;
  assert(x.elements() == tokens * inputs && y.elements() == tokens * outputs);
  if (tokens <= kFewRows) {
    const int threads = threadsForWeights(outputs * inputs);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < threads; ++part) {
      const Range range = partOf(outputs, threads, part);
      float* to = y.as<float>() + range.begin;
      fewRowsTimesWeight(to, outputs, x.as<float>(), inputs, weight.as<float>() + range.begin * inputs, inputs, tokens,
                         range.end - range.begin, inputs, accumulate);
      if (!bias.empty()) addBias(to, outputs, bias.as<float>() + range.begin, tokens, range.end - range.begin);
    }
    return;
  }
  const std::int64_t rows = gemmTileRows(tokens, 4 * threads_);
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1)
  for (std::int64_t begin = 0; begin < tokens; begin += rows) {
    const std::int64_t count = std::min(rows, tokens - begin);
    float* to = y.as<float>() + begin * outputs;
    rowsTimesWeight(to, outputs, x.as<float>() + begin * inputs, inputs, weight.as<float>(), count, outputs, inputs,
                    accumulate);
    if (!bias.empty()) addBias(to, outputs, bias.as<float>(), count, outputs);
  }
}

void OnednnBackend::multiplyBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                                     const TensorView& dy, const TensorView& x, const TensorView& weight,
                                     bool accumulateDx, Gradients gradients) {
  const std::int64_t inputs = weight.shape[1], outputs = weight.shape[0], tokens = x.elements() / inputs;
  assert(x.elements() == tokens * inputs && dy.elements() == tokens * outputs);
  const std::int64_t dxRows = gemmTileRows(tokens, 4 * threads_), dwRows = gemmTileRows(outputs, 4 * threads_);
  const std::int64_t dwTiles = dWeight.empty() && dBias.empty() ? 0 : (outputs + dwRows - 1) / dwRows;
  const std::int64_t dxTiles = dx.empty() ? 0 : (tokens + dxRows - 1) / dxRows;
#pragma omp parallel for num_threads(threads_) schedule(dynamic, 1)
  for (std::int64_t task = 0; task < dwTiles + dxTiles; ++task) {
    if (task < dwTiles) {
      const std::int64_t begin = task * dwRows, count = std::min(dwRows, outputs - begin);
      const float* from = dy.as<float>() + begin;
      if (!dWeight.empty())
        gemmOnThisThread({.transposeA = true,
                          .m = count,
                          .n = inputs,
                          .k = tokens,
                          .a = from,
                          .lda = outputs,
                          .b = x.as<float>(),
                          .ldb = inputs,
                          .beta = gradients == Gradients::add ? 1.0f : 0.0f,
                          .c = dWeight.as<float>() + begin * inputs,
                          .ldc = inputs});
      if (dBias.empty()) continue;
      float* const sums = dBias.as<float>() + begin;
      if (gradients == Gradients::overwrite) std::fill_n(sums, count, 0.0f);
      addColumnSums(sums, from, outputs, tokens, count);
    } else {
      const std::int64_t begin = (task - dwTiles) * dxRows, count = std::min(dxRows, tokens - begin);
      gemmOnThisThread({.m = count,
                        .n = inputs,
                        .k = outputs,
                        .a = dy.as<float>() + begin * outputs,
                        .lda = outputs,
                        .b = weight.as<float>(),
                        .ldb = inputs,
                        .beta = accumulateDx ? 1.0f : 0.0f,
                        .c = dx.as<float>() + begin * inputs,
                        .ldc = inputs});
    }
  }
}

}  // namespace moe
