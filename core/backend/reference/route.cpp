#include "core/backend/reference/reference_backend.h"
#include "core/router/pipeline.h"

namespace moe {

void ReferenceBackend::route(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  const auto timed = timer_.time("route");
  routeForward(routing, recipe, input);
}

void ReferenceBackend::routeBackward(const RouterWeights& dWeights, const TensorView& dx, Routing& routing,
                                     const Recipe& recipe, const RoutingInput& input, const TensorView& dAssignment) {
  const auto timed = timer_.time("route backward");
  moe::routeBackward(dWeights, dx, routing, recipe, input, inDispatchOrder(dAssignment, routing.dispatch));
}

}  // namespace moe
