// Bound by memory (the logits' product reads x once for E columns) and, over many experts, by the stages, which run on
// the calling thread: they are the pipeline's own code, the same for every backend.
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/onednn/rows.h"
#include "core/router/pipeline.h"

namespace moe {

void OnednnBackend::route(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  const auto timed = timer_.time("route");
  prepareRouting(routing, recipe, input);
  if (input.givenLogits.empty() && !routing.logits.empty()) {
    const TensorView x = logitsInput(routing, input);
    multiply(routing.logits, x, input.weights.weight, input.weights.bias, false);
    if (!routing.noiseLogits.empty()) multiply(routing.noiseLogits, x, input.weights.noiseWeight, {}, false);
  }
  routeFromLogits(routing, recipe, input);
}

void OnednnBackend::routeBackward(const RouterWeights& dWeights, const TensorView& dx, Routing& routing,
                                  const Recipe& recipe, const RoutingInput& input,
                                  std::span<const double> dAssignment) {
  const auto timed = timer_.time("route backward");
  routeBackwardToLogits(routing, recipe, input, dAssignment);
  if (!input.givenLogits.empty() || routing.logits.empty()) return;
  const TensorView x = logitsInput(routing, input);
  const bool jitter = !routing.routerInput.empty();
  // Through the jitter, the gradient of its input goes to working memory first.
  TensorView dInput = dx;
  if (jitter && !dx.empty()) dInput.data = scratch_.shared(0, dx.elements());
  multiplyBackward(dInput, dWeights.weight, dWeights.bias, routing.gradients.logits, x, input.weights.weight, !jitter);
  if (!routing.gradients.noiseLogits.empty())
    multiplyBackward(dInput, dWeights.noiseWeight, {}, routing.gradients.noiseLogits, x, input.weights.noiseWeight,
                     true);
  if (jitter && !dx.empty()) addThroughJitter(dx, dInput, input.draws.inputJitter);
}

}  // namespace moe
