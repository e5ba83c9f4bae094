// Bound by memory: one row read and written a token. Backward splits the columns, not the tokens, among the threads:
// equal ids then never meet, and each sum runs in token order.
#include "core/backend/onednn/gemm.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/onednn/rows.h"
#include "core/base/vectorised.h"

namespace moe {
namespace {

SWITCHYARD_VECTORISED void sumOfRows(float* y, const float* a, const float* b, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

}  // namespace

void OnednnBackend::embedding(const TensorView& x, const TensorView& tokenTable, const TensorView& positionTable,
                              std::span<const std::int32_t> ids, std::span<const std::int32_t> positions) {
  const auto timed = timer_.time("embedding");
  const std::int64_t width = tokenTable.shape[1], tokens = x.elements() / width;
  assert(static_cast<std::int64_t>(ids.size()) == tokens);
#pragma omp parallel for num_threads(threadsFor(tokens* width)) schedule(static)
  for (std::int64_t t = 0; t < tokens; ++t) {
    float* to = x.as<float>() + t * width;
    const float* from = tokenTable.as<float>() + ids[static_cast<std::size_t>(t)] * width;
    if (positionTable.empty())
      std::copy_n(from, width, to);
    else
      sumOfRows(to, from, positionTable.as<float>() + positions[static_cast<std::size_t>(t)] * width, width);
  }
}

void OnednnBackend::embeddingBackward(const TensorView& dTokenTable, const TensorView& dPositionTable,
                                      const TensorView& dx, std::span<const std::int32_t> ids,
                                      std::span<const std::int32_t> positions) {
  const auto timed = timer_.time("embedding backward");
  const std::int64_t width = dTokenTable.shape[1], tokens = dx.elements() / width;
  const int threads = threadsFor(tokens * width);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int part = 0; part < threads; ++part) {
    const Range columns = partOf(width, threads, part);
    const std::int64_t n = columns.end - columns.begin;
    for (std::int64_t t = 0; t < tokens; ++t) {
      const float* from = dx.as<float>() + t * width + columns.begin;
      const auto at = static_cast<std::size_t>(t);
      addRow(dTokenTable.as<float>() + ids[at] * width + columns.begin, from, n);
      if (!dPositionTable.empty()) addRow(dPositionTable.as<float>() + positions[at] * width + columns.begin, from, n);
    }
  }
}

}  // namespace moe
