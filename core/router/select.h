#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/router/declarations.h"

namespace moe {

struct SelectRecipe {
  enum class Kind { topK, topP, all, hash, assignment, expertChoice } kind = Kind::topK;
  int k = 2;
  double p = 0.4;
  enum class Generation { refuse, past } generation = Generation::refuse;  // expertChoice only
  struct RandomSecond {
    double scale = 2.0;
    bool skippedTakesSlot = false;
    bool operator==(const RandomSecond&) const = default;
  };
  std::optional<RandomSecond> randomSecond;
  struct Force {
    std::vector<int> experts;
    double fraction = 0.2;
    std::int64_t steps = 1000;
    bool operator==(const Force&) const = default;
  };
  std::optional<Force> force;
  bool operator==(const SelectRecipe&) const = default;
};

/// What a person can set of the stage, and what is said of it.
const SettingTable<Recipe>& selectRows();

/// routing.asked from routing.ranking (or the hash table), before set edits. Expert choice also fills expertTokens and
/// the order inside each expert (position). Throws Error("recipe") for expert choice in generation where it is refused.
template <class S>
void select(Routing& routing, const Recipe& recipe, const RoutingInput& input);

/// Cold start: replaces the last slot of a token with u < fraction, unless the expert is in its set already. Keeps the
/// selection before it in routing.beforeForce; clears that where `force` is off.
template <class S>
void forceExperts(Routing& routing, const Recipe& recipe, const RoutingInput& input);
/// What the two draws of a token mean.
inline bool isForced(const SelectRecipe::Force& force, double u) { return u < force.fraction; }
std::int32_t forcedExpert(const SelectRecipe::Force& force, double v);

/// routing.wantsSlot and .skipped, from the weights: the second choice is asked for if scale * w_2 > u.
template <class S>
void askRandomSecond(Routing& routing, const Recipe& recipe, const RoutingInput& input);

/// (T, k) into routing.unadjusted: the top k of s alone, without bias, groups or edits.
template <class S>
void selectUnadjusted(Routing& routing, int k);

}  // namespace moe
