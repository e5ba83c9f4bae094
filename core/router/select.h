#pragma once
#include <cstdint>

#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

/// routing.asked from routing.ranking (or the hash table), before set edits. Expert choice also fills expertTokens and
/// the order inside each expert (position). Throws Error("recipe") for expert choice in generation where it is refused.
template <class S>
void select(Routing& routing, const Recipe& recipe, const RoutingInput& input);

/// Cold start: replaces the last slot of a token with u < fraction, unless the expert is in its set already. Keeps the
/// selection before it in routing.beforeForce; clears that where `force` is off.
template <class S>
void forceExperts(Routing& routing, const Recipe& recipe, const RoutingInput& input);
/// What the two draws of a token mean.
inline bool isForced(const Recipe::Select::Force& force, double u) { return u < force.fraction; }
std::int32_t forcedExpert(const Recipe::Select::Force& force, double v);

/// routing.wantsSlot and .skipped, from the weights: the second choice is asked for if scale * w_2 > u.
template <class S>
void askRandomSecond(Routing& routing, const Recipe& recipe, const RoutingInput& input);

/// (T, k) into routing.unadjusted: the top k of s alone, without bias, groups or edits.
template <class S>
void selectUnadjusted(Routing& routing, int k);

}  // namespace moe
