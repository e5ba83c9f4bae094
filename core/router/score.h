#pragma once
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

/// s (T, E) from z (T, E). keep (E) of 0/1 or null: a masked expert counts as z = -inf.
template <class S>
void score(S* s, const S* z, const S* keep, Recipe::Score kind, std::int64_t tokens, std::int64_t experts);

/// dz += what ds brings through s.
template <class S>
void scoreBackward(S* dz /*+=*/, const S* ds, const S* s, Recipe::Score kind, std::int64_t tokens,
                   std::int64_t experts);

}  // namespace moe
