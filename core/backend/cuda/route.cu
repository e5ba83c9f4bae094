#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/host_route.h"

namespace moe::cuda {

std::string hostRouted(const Recipe&) { return "All stages behind the logits are routed on the host."; }

void CudaBackend::route(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  const auto timed = queue().time("route");
  routeOnHost(*this, routing, recipe, input);
}

void CudaBackend::routeBackward(const RouterWeights& dWeights, const TensorView& dx, Routing& routing,
                                const Recipe& recipe, const RoutingInput& input, const TensorView& dAssignment) {
  const auto timed = queue().time("route backward");
  routeBackwardOnHost(*this, dWeights, dx, routing, recipe, input, dAssignment);
}

void CudaBackend::finishBalance(const TensorView& totals, std::span<Routing* const> layers, const Recipe& recipe,
                                const GlobalBatchStatistics* global) {
  const auto timed = queue().time("balance");
  const BalanceTotals found = moe::finishBalance(layers, recipe, global);
  const Tensor row = hostTensor(totals.shape, DType::f64);
  row.as<double>()[0] = found.loss - found.zLoss;
  row.as<double>()[1] = found.zLoss;
  std::ranges::copy(found.value, row.as<double>() + 2);
  copy(totals, row);
}

void CudaBackend::summarise(const TensorView& out, const Routing& routing, const Recipe& recipe, bool measuring) {
  const auto timed = queue().time("summary");
  const Tensor row = hostTensor(out.shape, DType::f64);
  moe::summarise({row.span<double>(), routing.experts}, routing, recipe, measuring, unbiased_);
  copy(out, row);
}

void CudaBackend::read(Routing&) {}

}  // namespace moe::cuda
