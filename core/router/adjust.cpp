#include "core/router/adjust.h"

#include <algorithm>
#include <cassert>
#include <limits>

#include "core/router/score.h"
#include "core/router/tensor_room.h"
#include "core/router/top_k.h"

namespace moe {
namespace {

template <class S>
void limitGroups(Routing& routing, const Recipe::Adjust::ExpertGroups& groups) {
  const std::int64_t tokens = routing.tokens, experts = routing.experts, count = groups.count, each = experts / count;
  ensure(routing.groupScores, {tokens, count}, routing.dtype);
  routing.groupIndex.resize(static_cast<std::size_t>(tokens * groups.keep));
  constexpr S kNever = -std::numeric_limits<S>::infinity();
  for (std::int64_t t = 0; t < tokens; ++t) {
    S *r = routing.ranking.as<S>() + t * experts, *best = routing.groupScores.as<S>() + t * count;
    for (std::int64_t g = 0; g < count; ++g) {
      S first = kNever, second = kNever;
      for (std::int64_t e = g * each; e < (g + 1) * each; ++e) {
        if (r[e] > first) {
          second = first;
          first = r[e];
        } else {
          second = std::max(second, r[e]);
        }
      }
      // A group with one expert left (the rest masked) is worth that expert.
      best[g] = groups.by == Recipe::Adjust::ExpertGroups::By::max || second == kNever ? first : first + second;
    }
    std::int32_t* kept = routing.groupIndex.data() + t * groups.keep;
    largest(kept, best, count, groups.keep);
    for (std::int64_t g = 0; g < count; ++g)
      if (std::find(kept, kept + groups.keep, static_cast<std::int32_t>(g)) == kept + groups.keep)
        std::fill(r + g * each, r + (g + 1) * each, kNever);
  }
}

}  // namespace

template <class S>
void adjust(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  const std::int64_t tokens = routing.tokens, experts = routing.experts;
  ensure(routing.ranking, {tokens, experts}, routing.dtype);
  const Tensor& noisy = routing.noisyLogits.empty() ? routing.logits : routing.noisyLogits;
  S* r = routing.ranking.as<S>();
  const S* keep = input.draws.keepExpert.empty() ? nullptr : input.draws.keepExpert.as<S>();
  if (recipe.adjust.rankBy == Recipe::Adjust::RankBy::logits)
    std::copy_n(noisy.as<S>(), tokens * experts, r);
  else if (recipe.perturb.noiseAppliesTo == Recipe::Perturb::AppliesTo::selection && !routing.noisyLogits.empty())
    score(r, noisy.as<S>(), keep, recipe.score, tokens, experts);
  else
    std::copy_n(routing.scores.as<S>(), tokens * experts, r);
  if (const BiasView bias = input.hostSelectionBias(); recipe.adjust.selectionBias && !bias.empty()) {
    assert(bias.size() == static_cast<std::size_t>(experts));
    for (std::int64_t e = 0; e < experts; ++e) {
      const S b = static_cast<S>(bias[static_cast<std::size_t>(e)]);
      for (std::int64_t t = 0; t < tokens; ++t) r[t * experts + e] += b;
    }
  }
  if (keep)
    for (std::int64_t i = 0; i < tokens * experts; ++i)
      if (keep[i % experts] == 0) r[i] = -std::numeric_limits<S>::infinity();
  if (recipe.adjust.expertGroups) {
    limitGroups<S>(routing, *recipe.adjust.expertGroups);
  } else {
    release(routing.groupScores);
    routing.groupIndex.clear();
  }
}

template void adjust<float>(Routing&, const Recipe&, const RoutingInput&);
template void adjust<double>(Routing&, const Recipe&, const RoutingInput&);

}  // namespace moe
