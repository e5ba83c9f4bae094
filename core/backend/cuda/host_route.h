#pragma once
// Routing by core/router's own code, for recipes with stages that the device does not know: logits are computed on the
// device and read, and everything from there on happens on the host, which waits for it in every layer.
#include <string>

#include "core/backend/backend.h"

namespace moe::cuda {

class CudaBackend;

/// The stages of this recipe that the host routes, as a sentence; empty: the device routes it all.
std::string hostRouted(const Recipe& recipe);

void routeOnHost(CudaBackend& backend, Routing& routing, const Recipe& recipe, const RoutingInput& input);
void routeBackwardOnHost(CudaBackend& backend, const RouterWeights& dWeights, const TensorView& dx, Routing& routing,
                         const Recipe& recipe, const RoutingInput& input, const TensorView& dAssignment);

}  // namespace moe::cuda
