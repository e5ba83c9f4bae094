#pragma once
#include <cstdint>
#include <vector>

#include "core/router/recipe.h"

namespace moe {

// `problems(recipe)` itself stands in recipe.h.

/// What a batch refuses: T tokens of training must suit balanced assignment, token groups and capacity.
std::vector<Problem> batchProblems(const Recipe& recipe, std::int64_t tokens);

/// Allowed, but not what it seems; to be marked on every plot: selections that see later tokens.
std::vector<Problem> marks(const Recipe& recipe);

}  // namespace moe
