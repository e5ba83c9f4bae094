#pragma once
#include <span>

#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

/// The routing of one layer, forward and backward, in x's dtype (f32 or f64). No allocation once sizes repeat.
///   forward:  prepareRouting -> logits (here, or a backend's own product) -> routeFromLogits
///   then finishBalance (balance.h) once for all layers
///   backward: routeBackwardToLogits -> the products into weights and x (here, or a backend's own)
/// Throws Error("recipe") in the generation phase where the recipe refuses to generate.
void routeForward(Routing& routing, const Recipe& recipe, const RoutingInput& input);

/// dAssignment (A), in dispatch order, or empty: no language loss. input.balanceGradient chooses the balance terms.
/// dWeights, dx: empty views are skipped.
void routeBackward(const RouterWeights& dWeights /*+=*/, const TensorView& dx /*+=*/, Routing& routing,
                   const Recipe& recipe, const RoutingInput& input, std::span<const double> dAssignment);

/// Sizes every table; fills routerInput where there is jitter, and logits where they are given.
/// Afterwards `logitsInput` (T, D) W^T (+ b) belongs in routing.logits, and x W_noise^T in routing.noiseLogits if not
/// empty.
void prepareRouting(Routing& routing, const Recipe& recipe, const RoutingInput& input);
/// What the logits' product reads: x, or its jittered copy.
TensorView logitsInput(const Routing& routing, const RoutingInput& input);
/// The two products by plain loops. Nothing to do where logits are given or the recipe has none.
void computeLogits(Routing& routing, const Recipe& recipe, const RoutingInput& input);
/// Every stage from the logits on.
void routeFromLogits(Routing& routing, const Recipe& recipe, const RoutingInput& input);
/// Every stage behind routing.scores, which a device computed of routing.logits without noise.
void routeFromScores(Routing& routing, const Recipe& recipe, const RoutingInput& input);

/// Fills routing.gradients.logits and .noiseLogits.
void routeBackwardToLogits(Routing& routing, const Recipe& recipe, const RoutingInput& input,
                           std::span<const double> dAssignment);
/// The products from there into weights and x by plain loops.
void backwardFromLogits(const RouterWeights& dWeights /*+=*/, const TensorView& dx /*+=*/, Routing& routing,
                        const RoutingInput& input);
/// dx += dRouterInput * jitter: for a backend that computed dLogits W itself.
void addThroughJitter(const TensorView& dx /*+=*/, const TensorView& dRouterInput, const TensorView& jitter);

}  // namespace moe
