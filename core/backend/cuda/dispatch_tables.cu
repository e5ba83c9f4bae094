#include "core/backend/cuda/dispatch_tables.h"

#include <vector>

#include "core/backend/cuda/cuda_backend.h"

namespace moe::cuda {

DispatchView CudaBackend::tablesOf(const Dispatch& dispatch) {
  if (dispatch.device) return static_cast<const DispatchTables&>(*dispatch.device).view;
  DispatchView view;
  view.tokens = static_cast<std::int32_t>(dispatch.tokens);
  view.experts = dispatch.experts;
  view.room = static_cast<std::int32_t>(dispatch.assignments());
  view.everyToken = dispatch.everyToken;
  const bool weighs = !dispatch.everyToken || std::ranges::any_of(dispatch.weight, [](double w) { return w != 1; });
  if (weighs) {
    const std::vector<float> weights(dispatch.weight.begin(), dispatch.weight.end());
    view.weight = queue().constant(std::span<const float>(weights));
  }
  if (view.everyToken) return view;
  const auto list = [&](const std::vector<std::int32_t>& values) {
    return queue().constant(std::span<const std::int32_t>(values));
  };
  view.expertBegin = list(dispatch.expertBegin);
  view.admittedEnd = list(dispatch.admittedEnd);
  view.token = list(dispatch.token);
  view.slot = list(dispatch.slot);
  view.tokenBegin = list(dispatch.tokenBegin);
  view.assignmentOf = list(dispatch.assignmentOf);
  return view;
}

}  // namespace moe::cuda
