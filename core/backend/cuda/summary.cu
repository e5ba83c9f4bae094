#include <cassert>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/routing_tables.h"
#include "core/router/routing_summary.h"

namespace moe::cuda {
namespace {

/// One row of RoutingSummary. What only recipes of the host's routing have (drops, sums of weights) is 0.
struct Summarise {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "summary";
  double* row;
  RoutingView in;
  const std::int32_t *expertBegin, *admittedEnd;
  int terms;
  bool measuring, unbiased;

  MOE_DEVICE void operator()() const {
    const int E = in.experts;
    double* const lists = row + RoutingSummary::kScalars;
    for (int e = threadOfBlock(); e < E; e += kThreads) {
      lists[e] = in.load[e];
      lists[E + e] = admittedEnd[e] - expertBegin[e];
      lists[2 * E + e] = 0;
      lists[3 * E + e] = measuring ? in.importance[e] : 0;
    }
    for (int i = threadOfBlock(); i < terms; i += kThreads) lists[4 * E + i] = measuring ? in.value[i] : 0;
    if (threadOfBlock() != 0) return;
    row[0] = row[1] = 0;
    row[2] = measuring ? in.sums->entropy : 0;
    row[3] = measuring ? in.sums->marginTokens : 0;
    row[4] = measuring ? in.sums->margin : 0;
    row[5] = measuring && unbiased ? in.sums->jaccard : 0;
  }
};

}  // namespace

void CudaBackend::summarise(const TensorView& out, const Routing& routing, const Recipe& recipe, bool measuring) {
  const auto timed = queue().time("summary");
  assert(out.elements() == RoutingSummary::size(routing.experts, recipe.balance.size()));
  if (const RoutingTables* tables = deviceTables(routing)) {
    written(out);
    queue().launch<Summarise>(
        {1}, 0, at<double>(out), tables->view, static_cast<const std::int32_t*>(tables->expertBegin),
        static_cast<const std::int32_t*>(tables->admittedEnd), static_cast<int>(recipe.balance.size()), measuring,
        recipe.adjust.selectionBias.has_value());
    return;
  }
  const Tensor row = hostTensor(out.shape, DType::f64);
  moe::summarise({row.span<double>(), routing.experts}, routing, recipe, measuring, unbiased_);
  copy(out, row);
}

}  // namespace moe::cuda
