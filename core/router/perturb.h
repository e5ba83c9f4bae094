#pragma once
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

/// routerInput = x * jitter (T, D).
template <class S>
void jitterInput(Routing& routing, const RoutingInput& input);

/// noiseDeviation and noisyLogits from the draws. Nothing without draws.
template <class S>
void perturbLogits(Routing& routing, const Recipe& recipe, const RoutingInput& input);

/// Moves gradients.noisyLogits and .deviation on into .logits and .noiseLogits.
template <class S>
void perturbLogitsBackward(Routing& routing, const Recipe& recipe, const RoutingInput& input);

}  // namespace moe
