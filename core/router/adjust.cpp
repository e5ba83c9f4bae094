#include "core/router/adjust.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "core/config/table.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"
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
void transportPlan(TransportPlan& out, const S* z, std::int64_t tokens, std::int64_t experts,
                   const Recipe::Adjust::Sinkhorn& settings) {
  constexpr int kMostRounds = 10'000;  // where no plan comes within the tolerance, the last one serves
  const auto T = static_cast<double>(tokens), E = static_cast<double>(experts);
  std::vector<double>& K = out.plan;
  K.resize(static_cast<std::size_t>(tokens * experts));
  for (std::size_t i = 0; i < K.size(); ++i) K[i] = std::exp(static_cast<double>(z[i]));
  std::vector<double>&scale = out.scale, next(static_cast<std::size_t>(experts)), a(static_cast<std::size_t>(tokens));
  scale.assign(static_cast<std::size_t>(experts), 1.0);
  double change = 0;
  out.iterations = 0;
  do {
    std::ranges::fill(next, 0.0);
    for (std::size_t t = 0; t < a.size(); ++t) {
      const double* row = K.data() + t * scale.size();
      double sum = 0;
      for (std::size_t e = 0; e < scale.size(); ++e) sum += scale[e] * row[e];
      a[t] = 1 / (T * (sum + settings.epsilon));
      for (std::size_t e = 0; e < scale.size(); ++e) next[e] += a[t] * row[e];
    }
    change = 0;
    for (std::size_t e = 0; e < scale.size(); ++e) {
      next[e] = 1 / (E * (next[e] + settings.epsilon));
      change += std::abs(next[e] - scale[e]) / E;
    }
    scale.swap(next);
    ++out.iterations;
  } while (change > settings.tolerance && out.iterations < kMostRounds);  // not a number ends it too
  for (std::size_t t = 0; t < a.size(); ++t)
    for (std::size_t e = 0; e < scale.size(); ++e) K[t * scale.size() + e] *= scale[e] * a[t];
}

template <class S>
void adjust(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  const std::int64_t tokens = routing.tokens, experts = routing.experts;
  ensure(routing.ranking, {tokens, experts}, routing.dtype);
  const Tensor& noisy = routing.noisyLogits.empty() ? routing.logits : routing.noisyLogits;
  S* r = routing.ranking.as<S>();
  const S* keep = input.draws.keepExpert.empty() ? nullptr : input.draws.keepExpert.as<S>();
  using RankBy = Recipe::Adjust::RankBy;
  const bool planned = recipe.adjust.rankBy == RankBy::sinkhorn && input.phase == Phase::training;
  if (!planned) routing.transport = {};
  if (planned) {
    transportPlan(routing.transport, noisy.as<S>(), tokens, experts, recipe.adjust.sinkhorn);
    for (std::size_t i = 0; i < routing.transport.plan.size(); ++i) r[i] = static_cast<S>(routing.transport.plan[i]);
  } else if (recipe.adjust.rankBy != RankBy::scores)
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

template void transportPlan<float>(TransportPlan&, const float*, std::int64_t, std::int64_t,
                                   const Recipe::Adjust::Sinkhorn&);
template void transportPlan<double>(TransportPlan&, const double*, std::int64_t, std::int64_t,
                                    const Recipe::Adjust::Sinkhorn&);
template void adjust<float>(Routing&, const Recipe&, const RoutingInput&);
template void adjust<double>(Routing&, const Recipe&, const RoutingInput&);

const SettingTable<Recipe>& adjustRows() {
  using namespace rows;
  static const SettingTable<Recipe> table =
      SettingTable<Recipe>{
          "adjust",
          "Adjust",
          "Changes the values experts are ranked by, without touching weights or losses.",
          {choice<&Recipe::adjust, &Recipe::Adjust::rankBy>(
               {.path = "adjust.rank_by", .label = "Rank by", .tooltip = "What experts are ranked by."},
               Choices<Recipe::Adjust::RankBy>{
                   {Recipe::Adjust::RankBy::scores,
                    {"scores", "Scores", "r = s", "Experts are ranked by their scores."}},
                   {Recipe::Adjust::RankBy::logits,
                    {"logits", "Logits", "r = z", "Experts are ranked by their logits, noise included."}},
                   {Recipe::Adjust::RankBy::sinkhorn,
                    {"sinkhorn", "Transport plan", "r = d exp(z) a, rows and columns even",
                     "In training by Sinkhorn's plan over the batch, in which every expert gets as much; afterwards by "
                     "the logits."}}}),
           value<&Recipe::adjust, &Recipe::Adjust::sinkhorn, &Recipe::Adjust::Sinkhorn::tolerance>(
               {.path = "adjust.sinkhorn.tolerance",
                .label = "Tolerance",
                .minimum = 1e-12,
                .step = 0.0001,
                .formula = "stop at mean |d′ − d| ≤ tolerance",
                .tooltip = "How little the experts' scales move in the last round."})
               .when([](const Recipe& recipe) { return recipe.adjust.rankBy == Recipe::Adjust::RankBy::sinkhorn; }),
           value<&Recipe::adjust, &Recipe::Adjust::sinkhorn, &Recipe::Adjust::Sinkhorn::epsilon>(
               {.path = "adjust.sinkhorn.epsilon",
                .label = "ε",
                .step = 1e-8,
                .formula = "1 / (Σ + ε)",
                .tooltip = "Keeps the scales finite where an expert is hardly asked for."})
               .when([](const Recipe& recipe) { return recipe.adjust.rankBy == Recipe::Adjust::RankBy::sinkhorn; }),
           value<&Recipe::adjust, &Recipe::Adjust::selectionBias, &Recipe::Adjust::SelectionBias::rate>(
               {.path = "adjust.selection_bias.rate",
                .label = "Bias rate",
                .maximum = 10,
                .step = 0.0005,
                .formula = "b ← b + rate · sign(mean c − c)",
                .tooltip = "How far a step moves the selection bias of an expert that is over- or underloaded.",
                .changesLive = true}),
           choice<&Recipe::adjust, &Recipe::Adjust::selectionBias, &Recipe::Adjust::SelectionBias::update>(
               {.path = "adjust.selection_bias.update",
                .label = "Bias update",
                .tooltip = "How the bias follows the load.",
                .changesLive = true},
               Choices<Recipe::Adjust::SelectionBias::Update>{
                   {Recipe::Adjust::SelectionBias::Update::sign,
                    {"sign", "Sign", "b ← b + rate · sign(mean c − c)",
                     "Every under-used expert gains the same amount, every over-used one loses it."}},
                   {Recipe::Adjust::SelectionBias::Update::proportional,
                    {"proportional", "Proportional", "b ← b + rate · (mean c − c) / mean c",
                     "The further an expert's load is from the mean, the larger its correction."}}}),
           value<&Recipe::adjust, &Recipe::Adjust::expertGroups, &Recipe::Adjust::ExpertGroups::count>(
               {.path = "adjust.expert_groups.count",
                .label = "Groups",
                .minimum = 1,
                .maximum = 65536,
                .step = 1,
                .unit = "groups",
                .formula = "E / count experts a group",
                .tooltip = "Splits the experts into this many equal contiguous groups."}),
           value<&Recipe::adjust, &Recipe::Adjust::expertGroups, &Recipe::Adjust::ExpertGroups::keep>(
               {.path = "adjust.expert_groups.keep",
                .label = "Keep",
                .minimum = 1,
                .maximum = 65536,
                .step = 1,
                .unit = "groups",
                .formula = "r = −∞ outside the kept groups",
                .tooltip = "A token may only use experts of this many best groups."}),
           choice<&Recipe::adjust, &Recipe::Adjust::expertGroups, &Recipe::Adjust::ExpertGroups::by>(
               {.path = "adjust.expert_groups.by",
                .label = "Group score",
                .tooltip = "What a group is worth to a token."},
               Choices<Recipe::Adjust::ExpertGroups::By>{
                   {Recipe::Adjust::ExpertGroups::By::max,
                    {"max", "Best expert", "max of r in the group", "A group counts as much as its best expert."}},
                   {Recipe::Adjust::ExpertGroups::By::top2Sum,
                    {"top2_sum", "Best two", "sum of the two largest r",
                     "A group counts as much as its two best experts together."}}})},
          {part<&Recipe::adjust, &Recipe::Adjust::selectionBias>(
               {"adjust.selection_bias", "Selection bias",
                "Loss-free balancing: a bias per expert that only the selection sees, moved after each step "
                "towards equal load."}),
           part<&Recipe::adjust, &Recipe::Adjust::expertGroups>(
               {"adjust.expert_groups", "Expert groups",
                "Limits each token to the experts of a few groups, as where groups live on different devices."})}}
          .withDefaultsOf();
  return table;
}

}  // namespace moe
