#pragma once
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

/// routing.ranking r from scores or logits (with noise), + selection bias, -inf for masked experts and outside the kept
/// groups; groupScores and groupIndex where there are groups. Const: nothing flows back.
template <class S>
void adjust(Routing& routing, const Recipe& recipe, const RoutingInput& input);

}  // namespace moe
