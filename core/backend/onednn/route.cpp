// Bound by memory (the logits' product reads x once for E columns) and, over many experts, by the stages, which run on
// the calling thread: they are the pipeline's own code, the same for every backend.
#include "core/backend/onednn/onednn_backend.h"
#include "core/router/pipeline.h"

namespace moe {

void OnednnBackend::route(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  const auto timed = timer_.time("route");
  prepareRouting(routing, recipe, input);
  if (input.givenLogits.empty() && !routing.logits.empty())
    multiply(routing.logits, logitsInput(routing, input), input.weights.weight, input.weights.bias, false);
  // The noise's deviation reads x itself, not its jittered copy.
  if (!routing.noiseLogits.empty()) multiply(routing.noiseLogits, input.x, input.weights.noiseWeight, {}, false);
  routeFromLogits(routing, recipe, input);
}

void OnednnBackend::routeBackward(const RouterWeights& dWeights, const TensorView& dx, Routing& routing,
                                  const Recipe& recipe, const RoutingInput& input, const TensorView& dAssignment) {
  const auto timed = timer_.time("route backward");
  routeBackwardToLogits(routing, recipe, input, inDispatchOrder(dAssignment, routing.dispatch));
  if (routing.logits.empty() || input.x.empty()) return;
  if (input.givenLogits.empty()) {
    // Through the jitter, the gradient of its output goes to working memory first.
    const bool jitter = !routing.routerInput.empty() && !dx.empty();
    TensorView dInput = dx;
    if (jitter) dInput.data = scratch_.shared(0, dx.elements());
    multiplyBackward(dInput, dWeights.weight, dWeights.bias, routing.gradients.logits, logitsInput(routing, input),
                     input.weights.weight, !jitter, Gradients::add);
    if (jitter) addThroughJitter(dx, dInput, input.draws.inputJitter);
  }
  if (!routing.gradients.noiseLogits.empty())
    multiplyBackward(dx, dWeights.noiseWeight, {}, routing.gradients.noiseLogits, input.x, input.weights.noiseWeight,
                     true, Gradients::add);
}

}  // namespace moe
