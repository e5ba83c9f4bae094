#pragma once
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

/// Each expert takes, inside each token group, the C tokens of largest r in its column. Fills asked (T, E) with column
/// = expert, position = rank inside the expert and group, and expertTokens (groups * C a row when there are groups).
template <class S>
void chooseTokens(Routing& routing, const Recipe& recipe, const RoutingInput& input);

/// generation "past": expert e takes position t (from 1) if fewer than max(1, floor(C t / S)) earlier positions of the
/// sequence have r >= its own. Earlier positions: input.history, then the batch. Not what was trained.
template <class S>
void chooseFromPast(Routing& routing, const Recipe& recipe, const RoutingInput& input);

}  // namespace moe
