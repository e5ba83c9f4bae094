// The stages are core/router's own; the products of the router's weights are this backend's GEMMs, timed as "linear".
#include "core/backend/onednn/onednn_backend.h"
#include "core/router/pipeline.h"
#include "core/router/tensor_room.h"

namespace moe {

void OnednnBackend::route(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  {
    const auto timed = timer_.time("route");
    prepareRouting(routing, recipe, input);
  }
  if (!input.x.empty() && !routing.logits.empty()) {
    if (input.givenLogits.empty())
      linear(routing.logits, logitsInput(routing, input), input.weights.weight, input.weights.bias, false);
    if (!routing.noiseLogits.empty()) linear(routing.noiseLogits, input.x, input.weights.noiseWeight, {}, false);
  }
  const auto timed = timer_.time("route");
  routeFromLogits(routing, recipe, input);
}

void OnednnBackend::routeBackward(const RouterWeights& dWeights, const TensorView& dx, Routing& routing,
                                  const Recipe& recipe, const RoutingInput& input,
                                  std::span<const double> dAssignment) {
  {
    const auto timed = timer_.time("route backward");
    routeBackwardToLogits(routing, recipe, input, dAssignment);
  }
  if (input.x.empty() || routing.logits.empty()) return;
  RoutingGradients& gradients = routing.gradients;
  if (input.givenLogits.empty()) {
    const bool jittered = !routing.routerInput.empty();
    if (jittered && !dx.empty()) ensure(gradients.routerInput, input.x.shape, DType::f32);
    const TensorView through = jittered && !dx.empty() ? gradients.routerInput.view() : dx;
    linearBackward(through, dWeights.weight, dWeights.bias, gradients.logits, logitsInput(routing, input),
                   input.weights.weight, !jittered);
    if (jittered && !dx.empty()) addThroughJitter(dx, gradients.routerInput, input.draws.inputJitter);
  }
  if (!gradients.noiseLogits.empty())
    linearBackward(dx, dWeights.noiseWeight, {}, gradients.noiseLogits, input.x, input.weights.noiseWeight, true);
}

}  // namespace moe
