#include "core/router/expert_choice.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "core/router/capacity.h"
#include "core/router/top_k.h"

namespace moe {

template <class S>
void chooseTokens(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  const std::int64_t tokens = routing.tokens, experts = routing.experts;
  const int groups = recipe.capacity.tokenGroups;
  const std::int64_t slots = slotsOfExpert(recipe, tokens / groups, input.phase);
  routing.capacitySlots = slots;
  routing.expertTokens.assign(static_cast<std::size_t>(experts * groups * slots), -1);
  const S* r = routing.ranking.as<S>();
  for (int g = 0; g < groups; ++g) {
    const TokenRange range = tokenGroup(tokens, groups, g);
    std::vector<std::int32_t>& order = routing.scratch.order;
    for (std::int64_t e = 0; e < experts; ++e) {
      order.clear();
      for (std::int64_t t = range.begin; t < range.end; ++t)
        if (r[t * experts + e] > -std::numeric_limits<S>::infinity()) order.push_back(static_cast<std::int32_t>(t));
      const auto taken = std::min<std::ptrdiff_t>(slots, static_cast<std::ptrdiff_t>(order.size()));
      std::partial_sort(order.begin(), order.begin() + taken, order.end(), [&](std::int32_t a, std::int32_t b) {
        const S ra = r[a * experts + e], rb = r[b * experts + e];
        return ra > rb || (ra == rb && a < b);
      });
      for (std::ptrdiff_t i = 0; i < taken; ++i) {
        const std::int32_t t = order[static_cast<std::size_t>(i)];
        const auto at = static_cast<std::size_t>(t * experts + e);
        routing.asked[at] = static_cast<std::int32_t>(e);
        routing.position[at] = static_cast<std::int32_t>(i);
        routing.expertTokens[static_cast<std::size_t>((e * groups + g) * slots + i)] = t;
      }
    }
  }
}

template <class S>
void chooseFromPast(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  const std::int64_t tokens = routing.tokens, experts = routing.experts, length = tokens / input.sequences;
  const RankingHistory* history = input.history;
  assert(!history || input.sequences == 1);
  const std::int64_t past = history ? history->positions : 0;
  const std::int64_t group = input.trainingGroupTokens > 0 ? input.trainingGroupTokens : tokens;
  const std::int64_t slots = slotsOfExpert(recipe, group, Phase::training);
  const S* r = routing.ranking.as<S>();
  for (std::int64_t t = 0; t < tokens; ++t) {
    const std::int64_t start = t / length * length;
    const std::int64_t place = past + t - start + 1;
    const std::int64_t allowed = std::max<std::int64_t>(1, slots * place / group);
    for (std::int64_t e = 0; e < experts; ++e) {
      const S own = r[t * experts + e];
      if (!(own > -std::numeric_limits<S>::infinity())) continue;
      std::int64_t better = 0;
      for (std::int64_t p = 0; p < past; ++p)
        better += history->ranking[static_cast<std::size_t>(p * experts + e)] >= static_cast<double>(own);
      for (std::int64_t p = start; p < t; ++p) better += r[p * experts + e] >= own;
      if (better < allowed) routing.asked[static_cast<std::size_t>(t * experts + e)] = static_cast<std::int32_t>(e);
    }
  }
  if (!input.history) return;
  input.history->ranking.insert(input.history->ranking.end(), r, r + tokens * experts);
  input.history->positions += tokens;
}

template void chooseTokens<float>(Routing&, const Recipe&, const RoutingInput&);
template void chooseTokens<double>(Routing&, const Recipe&, const RoutingInput&);
template void chooseFromPast<float>(Routing&, const Recipe&, const RoutingInput&);
template void chooseFromPast<double>(Routing&, const Recipe&, const RoutingInput&);

}  // namespace moe
