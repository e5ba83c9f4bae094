#pragma once
#include <cstdint>
#include <optional>

#include "core/router/declarations.h"

namespace moe {

struct CapacityRecipe {
  std::optional<std::int64_t> slots;  // C, given directly
  std::optional<double> factor, evalFactor;
  bool countsK = false;
  enum class Rounding { floor, ceil, round } rounding = Rounding::ceil;
  std::int64_t minimum = 1;
  int tokenGroups = 1;
  enum class Order { slot, token, batchPrioritised, probability } order = Order::slot;
  enum class Overflow { drop, nextBest, noTokenLeftBehind } overflow = Overflow::drop;
  int tries = 0;  // noTokenLeftBehind only
  bool renormaliseAfterDrop = false;
  bool dropless() const { return !slots && !factor; }
  bool operator==(const CapacityRecipe&) const = default;
};

/// What a person can set of the stage, and what is said of it.
const SettingTable<Recipe>& capacityRows();

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
