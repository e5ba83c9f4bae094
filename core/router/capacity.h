#pragma once
#include <cstdint>

#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

/// C for a token group of `groupTokens`; 0 where the recipe is dropless. Evaluation uses eval_factor, generation has
/// none (callers that need training's C ask for that phase).
std::int64_t slotsOfExpert(const Recipe& recipe, std::int64_t groupTokens, Phase phase);

struct TokenRange {
  std::int64_t begin, end;
};
/// Tokens of group g: equal where `groups` divides T.
inline TokenRange tokenGroup(std::int64_t tokens, int groups, int g) {
  return {tokens * g / groups, tokens * (g + 1) / groups};
}

/// routing.final, .position, .dropped and .capacitySlots from the asked set; .setChanged where weigh must run once
/// more.
template <class S>
void admit(Routing& routing, const Recipe& recipe, const RoutingInput& input);

}  // namespace moe
