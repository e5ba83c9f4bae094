#include "core/router/select.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/config/table.h"
#include "core/router/assignment.h"
#include "core/router/expert_choice.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"
#include "core/router/schedule.h"
#include "core/router/top_k.h"

namespace moe {
namespace {

/// Probabilities of top_p: r, or its softmax where r are logits.
template <class S>
void selectTopP(Routing& routing, const Recipe& recipe) {
  const std::int64_t experts = routing.experts;
  std::vector<double>& p = routing.scratch.sums;
  p.resize(static_cast<std::size_t>(experts));
  for (std::int64_t t = 0; t < routing.tokens; ++t) {
    const S* r = routing.ranking.as<S>() + t * experts;
    std::int32_t* set = routing.asked.data() + t * experts;
    const int found = largest(set, r, experts, static_cast<int>(experts));
    if (found == 0) continue;
    if (recipe.adjust.rankBy == Recipe::Adjust::RankBy::logits) {
      double sum = 0;
      for (int j = 0; j < found; ++j)
        sum += p[static_cast<std::size_t>(j)] =
            std::exp(static_cast<double>(r[set[j]]) - static_cast<double>(r[set[0]]));
      for (int j = 0; j < found; ++j) p[static_cast<std::size_t>(j)] /= sum;
    } else {
      for (int j = 0; j < found; ++j) p[static_cast<std::size_t>(j)] = static_cast<double>(r[set[j]]);
    }
    double reached = p[0];
    int taken = 1;
    while (taken < found && reached < recipe.select.p) reached += p[static_cast<std::size_t>(taken++)];
    std::fill(set + taken, set + experts, -1);
  }
}

template <class S>
void selectAll(Routing& routing) {
  const S* r = routing.ranking.as<S>();
  for (std::size_t i = 0; i < routing.asked.size(); ++i)
    if (r[i] > -std::numeric_limits<S>::infinity())
      routing.asked[i] = static_cast<std::int32_t>(i % static_cast<std::size_t>(routing.experts));
}

template <class S>
void selectTopK(std::vector<std::int32_t>& out, const S* values, std::int64_t tokens, std::int64_t experts, int k) {
  for (std::int64_t t = 0; t < tokens; ++t) largest(out.data() + t * k, values + t * experts, experts, k);
}

}  // namespace

template <class S>
void select(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  using Kind = Recipe::Select::Kind;
  const auto entries = static_cast<std::size_t>(routing.tokens * routing.slots);
  routing.asked.assign(entries, -1);
  routing.position.assign(entries, -1);
  routing.wantsSlot.assign(entries, 1);
  routing.skipped = 0;
  routing.capacitySlots = 0;
  routing.expertTokens.clear();
  switch (recipe.select.kind) {
    case Kind::topK:
      return selectTopK(routing.asked, routing.ranking.as<S>(), routing.tokens, routing.experts, recipe.select.k);
    case Kind::topP: return selectTopP<S>(routing, recipe);
    case Kind::all: return selectAll<S>(routing);
    case Kind::hash:
      assert(input.tokenIds.size() == entries);
      for (std::size_t t = 0; t < entries; ++t)
        routing.asked[t] = input.hashTable[static_cast<std::size_t>(input.tokenIds[t])];
      return;
    case Kind::assignment:
      if (input.phase == Phase::generation)
        selectTopK(routing.asked, routing.ranking.as<S>(), routing.tokens, routing.experts, 1);
      else
        assignBalanced(std::span(routing.asked), routing.ranking.as<S>(), routing.tokens, routing.experts);
      return;
    case Kind::expertChoice:
      if (input.phase != Phase::generation) return chooseTokens<S>(routing, recipe, input);
      if (recipe.select.generation == Recipe::Select::Generation::refuse)
        throw Error("recipe",
                    "select.generation: expert choice needs the tokens that come later, so it does not generate; "
                    "set it to past to let experts choose among earlier tokens (not what was trained)");
      return chooseFromPast<S>(routing, recipe, input);
  }
}

std::int32_t forcedExpert(const Recipe::Select::Force& force, double v) {
  const std::size_t n = force.experts.size();
  const auto index = static_cast<std::size_t>(std::floor(v * static_cast<double>(n)));
  return force.experts[std::min(index, n - 1)];
}

template <class S>
void forceExperts(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  routing.beforeForce.clear();
  if (input.phase != Phase::training || !forceActive(recipe, input.step) || input.draws.forceToken.empty()) return;
  const Recipe::Select::Force& force = *recipe.select.force;
  routing.beforeForce = routing.asked;
  const S *u = input.draws.forceToken.as<S>(), *v = input.draws.forceExpert.as<S>();
  for (std::int64_t t = 0; t < routing.tokens; ++t) {
    if (!isForced(force, static_cast<double>(u[t]))) continue;
    std::int32_t* set = routing.asked.data() + t * routing.slots;
    const std::int32_t e = forcedExpert(force, static_cast<double>(v[t]));
    // A masked expert does not exist in this step: it cannot be forced.
    const bool masked = !input.draws.keepExpert.empty() && input.draws.keepExpert.as<S>()[e] == 0;
    if (!masked && std::find(set, set + routing.slots, e) == set + routing.slots) set[routing.slots - 1] = e;
  }
}

template <class S>
void askRandomSecond(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  if (!recipe.select.randomSecond || input.phase != Phase::training || input.draws.randomSecond.empty()) return;
  const double scale = recipe.select.randomSecond->scale;
  const S *u = input.draws.randomSecond.as<S>(), *w = routing.askedWeight.as<S>();
  for (std::int64_t t = 0; t < routing.tokens; ++t) {
    const auto second = static_cast<std::size_t>(t * 2 + 1);
    if (routing.asked[second] < 0 || scale * static_cast<double>(w[second]) > static_cast<double>(u[t])) continue;
    routing.wantsSlot[second] = 0;
    ++routing.skipped;
  }
}

template <class S>
void selectUnadjusted(Routing& routing, int k) {
  routing.unadjusted.resize(static_cast<std::size_t>(routing.tokens * k));
  selectTopK(routing.unadjusted, routing.scores.as<S>(), routing.tokens, routing.experts, k);
}

template void select<float>(Routing&, const Recipe&, const RoutingInput&);
template void select<double>(Routing&, const Recipe&, const RoutingInput&);
template void forceExperts<float>(Routing&, const Recipe&, const RoutingInput&);
template void forceExperts<double>(Routing&, const Recipe&, const RoutingInput&);
template void askRandomSecond<float>(Routing&, const Recipe&, const RoutingInput&);
template void askRandomSecond<double>(Routing&, const Recipe&, const RoutingInput&);
template void selectUnadjusted<float>(Routing&, int);
template void selectUnadjusted<double>(Routing&, int);

const SettingTable<Recipe>& selectRows() {
  using namespace rows;
  static const SettingTable<Recipe> table = SettingTable<Recipe>{
      "select",
      "Select",
      "Decides which experts each token asks for.",
      {choice<&Recipe::select, &Recipe::Select::kind>(
           {.path = "select.kind",
            .label = "Select",
            .tooltip = "The rule by which tokens and experts find each other."},
           Choices<Recipe::Select::Kind>{
               {Recipe::Select::Kind::topK,
                {"top_k", "Top-k", "the k largest r", "Every token takes its k best experts."}},
               {Recipe::Select::Kind::topP,
                {"top_p", "Top-p", "smallest set with Σ s ≥ p",
                 "A token takes experts in falling score until their scores reach p: unsure tokens take more."}},
               {Recipe::Select::Kind::all,
                {"all", "All", "every expert", "Every token runs through every expert: a dense mixture."}},
               {Recipe::Select::Kind::hash,
                {"hash", "Hash", "table[token id]", "The token's id alone fixes its expert; nothing is learned."}},
               {Recipe::Select::Kind::assignment,
                {"assignment", "Balanced assignment", "max Σ r, T/E tokens an expert",
                 "One expert a token, each expert equally many, chosen over the whole batch for the best total."}},
               {Recipe::Select::Kind::expertChoice,
                {"expert_choice", "Expert choice", "the C largest r of each expert",
                 "Each expert takes its C favourite tokens: balanced by construction, but it sees later tokens."}}}),
       value<&Recipe::select, &Recipe::Select::k>({.path = "select.k",
                                                   .label = "k",
                                                   .minimum = 1,
                                                   .maximum = 65536,
                                                   .step = 1,
                                                   .unit = "experts a token",
                                                   .formula = "the k largest r",
                                                   .tooltip = "How many experts a token uses.",
                                                   .changesLive = true})
           .when([](const Recipe& recipe) { return recipe.select.kind == Recipe::Select::Kind::topK; }),
       value<&Recipe::select, &Recipe::Select::p>({.path = "select.p",
                                                   .label = "p",
                                                   .minimum = 0.0001,
                                                   .step = 0.05,
                                                   .formula = "Σ s ≥ p",
                                                   .tooltip = "Total score at which a token stops taking experts.",
                                                   .changesLive = true})
           .when([](const Recipe& recipe) { return recipe.select.kind == Recipe::Select::Kind::topP; }),
       choice<&Recipe::select, &Recipe::Select::generation>(
           {.path = "select.generation",
            .label = "When generating",
            .tooltip = "What expert choice does where the later tokens do not exist yet."},
           Choices<Recipe::Select::Generation>{
               {Recipe::Select::Generation::refuse,
                {"refuse", "Refuse", "no generation", "Text is not generated: the rule needs tokens that come later."}},
               {Recipe::Select::Generation::past,
                {"past", "Choose from the past", "fewer than C t / S earlier r ≥ own",
                 "An expert takes a token that ranks high among the earlier ones; not what was trained."}}})
           .when([](const Recipe& recipe) { return recipe.select.kind == Recipe::Select::Kind::expertChoice; }),
       value<&Recipe::select, &Recipe::Select::randomSecond, &Recipe::Select::RandomSecond::scale>(
           {.path = "select.random_second.scale",
            .label = "Second choice",
            .maximum = 1000,
            .step = 0.1,
            .formula = "asked if scale · w₂ > u",
            .tooltip = "How readily the second choice is asked for."}),
       value<&Recipe::select, &Recipe::Select::randomSecond, &Recipe::Select::RandomSecond::skippedTakesSlot>(
           {.path = "select.random_second.skipped_takes_slot",
            .label = "Skipped takes a slot",
            .formula = "counter advances all the same",
            .tooltip = "A second choice that is not asked for still uses up a slot of its expert."}),
       value<&Recipe::select, &Recipe::Select::force, &Recipe::Select::Force::experts>(
           {.path = "select.force.experts",
            .label = "Start experts",
            .minimum = 0,
            .maximum = 65535,
            .step = 1,
            .formula = "e = experts[⌊v n⌋]",
            .tooltip = "The experts that tokens are sent to."}),
       value<&Recipe::select, &Recipe::Select::force, &Recipe::Select::Force::fraction>(
           {.path = "select.force.fraction",
            .label = "Share of tokens",
            .maximum = 1,
            .step = 0.05,
            .formula = "forced if u < fraction",
            .tooltip = "Share of tokens whose last slot is given to a start expert."}),
       constant<Recipe>("select.force.slot", "last"),
       value<&Recipe::select, &Recipe::Select::force, &Recipe::Select::Force::steps>(
           {.path = "select.force.steps",
            .label = "For",
            .maximum = 1e9,
            .step = 100,
            .unit = "steps",
            .formula = "active while t < steps",
            .tooltip = "How long the cold start lasts."})},
      {part<&Recipe::select, &Recipe::Select::randomSecond>(
           {"select.random_second", "Random second choice",
            "Asks for the second expert only sometimes, the more often the larger its weight; top-k with k = 2."}),
       part<&Recipe::select, &Recipe::Select::force>(
           {"select.force", "Cold start",
            "Sends a share of the tokens to chosen experts for some steps, so that new experts get something to "
            "learn from."})}}.withDefaultsOf();
  return table;
}

}  // namespace moe
