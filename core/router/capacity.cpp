#include "core/router/capacity.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/config/table.h"
#include "core/router/overflow.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {
namespace {

using Order = Recipe::Capacity::Order;
constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

/// Takes the next place of its expert, or is dropped. A skipped second choice may advance the counter all the same.
struct Counter {
  Routing& routing;
  std::vector<std::int32_t>& used;  // (E) assignments that took a slot
  std::int64_t slots;
  bool skippedTakesSlot;

  void visit(std::int64_t t, std::int64_t j) {
    const auto at = static_cast<std::size_t>(t * routing.slots + j);
    const std::int32_t e = routing.asked[at];
    if (e < 0) return;
    std::int32_t& place = used[static_cast<std::size_t>(e)];
    if (!routing.wantsSlot[at]) {
      place += skippedTakesSlot;
      return;
    }
    if (place < slots) {
      routing.final[at] = e;
      routing.position[at] = place;
    }
    ++place;
  }
};

template <class S>
void byProbability(Routing& routing, TokenRange group, std::int64_t slots) {
  const S* w = routing.askedWeight.as<S>();
  std::vector<std::int32_t>& order = routing.scratch.order;
  order.clear();
  for (std::int64_t i = group.begin * routing.slots; i < group.end * routing.slots; ++i)
    if (routing.asked[static_cast<std::size_t>(i)] >= 0 && routing.wantsSlot[static_cast<std::size_t>(i)])
      order.push_back(static_cast<std::int32_t>(i));
  // Entries ascend by token and slot, so their own index breaks ties.
  std::sort(order.begin(), order.end(),
            [&](std::int32_t a, std::int32_t b) { return w[a] > w[b] || (w[a] == w[b] && a < b); });
  std::vector<std::int32_t>& used = routing.scratch.used;
  for (std::int32_t i : order) {
    const auto at = static_cast<std::size_t>(i);
    std::int32_t& place = used[static_cast<std::size_t>(routing.asked[at])];
    if (place >= slots) continue;
    routing.final[at] = routing.asked[at];
    routing.position[at] = place++;
  }
}

/// Tokens by descending score of their first choice.
template <class S>
void sortTokens(std::vector<std::int32_t>& order, const Routing& routing, TokenRange group) {
  order.resize(static_cast<std::size_t>(group.end - group.begin));
  std::iota(order.begin(), order.end(), static_cast<std::int32_t>(group.begin));
  if (routing.scores.empty()) return;
  const auto first = [&](std::int32_t t) {
    const std::int32_t e = routing.asked[static_cast<std::size_t>(t) * static_cast<std::size_t>(routing.slots)];
    return e < 0 ? -std::numeric_limits<S>::infinity()
                 : routing.scores.as<S>()[static_cast<std::int64_t>(t) * routing.experts + e];
  };
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const S sa = first(a), sb = first(b);
    return sa > sb || (sa == sb && a < b);
  });
}

template <class S>
void admitGroup(Routing& routing, const Recipe& recipe, TokenRange group, std::int64_t slots) {
  routing.scratch.used.assign(static_cast<std::size_t>(routing.experts), 0);
  Counter counter{routing, routing.scratch.used, slots,
                  recipe.select.randomSecond && recipe.select.randomSecond->skippedTakesSlot};
  const Order order = slots == kUnlimited ? Order::slot : recipe.capacity.order;
  switch (order) {
    case Order::slot:
      for (std::int64_t j = 0; j < routing.slots; ++j)
        for (std::int64_t t = group.begin; t < group.end; ++t) counter.visit(t, j);
      return;
    case Order::token:
      for (std::int64_t t = group.begin; t < group.end; ++t)
        for (std::int64_t j = 0; j < routing.slots; ++j) counter.visit(t, j);
      return;
    case Order::batchPrioritised:
      sortTokens<S>(routing.scratch.order, routing, group);
      for (std::int64_t j = 0; j < routing.slots; ++j)
        for (std::int32_t t : routing.scratch.order) counter.visit(t, j);
      return;
    case Order::probability: return byProbability<S>(routing, group, slots);
  }
}

}  // namespace

std::int64_t slotsOfExpert(const Recipe& recipe, std::int64_t groupTokens, Phase phase) {
  const Recipe::Capacity& capacity = recipe.capacity;
  if (capacity.dropless() || phase == Phase::generation) return 0;
  if (capacity.slots) return *capacity.slots;
  const double factor = phase == Phase::evaluation ? capacity.evalFactor.value_or(*capacity.factor) : *capacity.factor;
  const double k = capacity.countsK ? recipe.slotsPerToken() : 1;
  const double exact = factor * static_cast<double>(groupTokens) * k / recipe.experts.count;
  double rounded = 0;
  switch (capacity.rounding) {
    case Recipe::Capacity::Rounding::floor: rounded = std::floor(exact); break;
    case Recipe::Capacity::Rounding::ceil: rounded = std::ceil(exact); break;
    case Recipe::Capacity::Rounding::round: rounded = std::floor(exact + 0.5); break;
  }
  if (rounded >= static_cast<double>(groupTokens)) return groupTokens;
  return std::min(groupTokens, std::max(capacity.minimum, static_cast<std::int64_t>(rounded)));
}

template <class S>
void admit(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  using Overflow = Recipe::Capacity::Overflow;
  routing.dropped = 0;
  routing.setChanged = false;
  if (recipe.select.kind == Recipe::Select::Kind::expertChoice) {
    routing.final = routing.asked;
    return;
  }
  const int groups = recipe.capacity.tokenGroups;
  routing.capacitySlots = slotsOfExpert(recipe, routing.tokens / groups, input.phase);
  const bool limited = routing.capacitySlots > 0;
  routing.final.assign(routing.asked.size(), -1);
  const Overflow overflow = limited ? recipe.capacity.overflow : Overflow::drop;
  for (int g = 0; g < groups; ++g) {
    const TokenRange group = tokenGroup(routing.tokens, groups, g);
    switch (overflow) {
      case Overflow::drop: admitGroup<S>(routing, recipe, group, limited ? routing.capacitySlots : kUnlimited); break;
      case Overflow::nextBest: placeNextBest<S>(routing, group); break;
      case Overflow::noTokenLeftBehind: placeByRounds<S>(routing, group, recipe.capacity.tries); break;
    }
  }
  for (std::size_t i = 0; i < routing.asked.size(); ++i)
    routing.dropped += routing.asked[i] >= 0 && routing.wantsSlot[i] && routing.final[i] < 0;
  routing.setChanged = limited && (overflow != Overflow::drop || recipe.capacity.renormaliseAfterDrop);
}

template void admit<float>(Routing&, const Recipe&, const RoutingInput&);
template void admit<double>(Routing&, const Recipe&, const RoutingInput&);

const SettingTable<Recipe>& capacityRows() {
  using namespace rows;
  static const SettingTable<Recipe> table = SettingTable<Recipe>{
      "capacity",
      "Capacity",
      "How many tokens an expert accepts in a step, and what becomes of the rest.",
      {choice<&Recipe::capacity, &Recipe::Capacity::overflow>(
           {.path = "capacity.overflow",
            .label = "Overflow",
            .tooltip = "What becomes of an assignment whose expert is full."},
           Choices<Recipe::Capacity::Overflow>{
               {Recipe::Capacity::Overflow::drop,
                {"drop", "Drop", "contributes 0", "The assignment is lost; the token keeps its residual."}},
               {Recipe::Capacity::Overflow::nextBest,
                {"next_best", "Next best", "best r with room",
                 "The slot goes to the token's next best expert with room."}},
               {Recipe::Capacity::Overflow::noTokenLeftBehind,
                {"no_token_left_behind", "No token left behind", "round i: i-th best expert",
                 "In rounds, every token without a place tries its next best expert; k = 1."}}})
           .when([](const Recipe& recipe) { return !recipe.capacity.dropless(); }),
       value<&Recipe::capacity, &Recipe::Capacity::factor>(
           {.path = "capacity.factor",
            .label = "Factor",
            .minimum = 0.0001,
            .maximum = 65536,
            .step = 0.05,
            .formula = "C = factor · S / E",
            .tooltip = "Room of an expert, as a multiple of its fair share of tokens.",
            .changesLive = true}),
       value<&Recipe::capacity, &Recipe::Capacity::evalFactor>(
           {.path = "capacity.eval_factor",
            .label = "Factor in evaluation",
            .minimum = 0.0001,
            .maximum = 65536,
            .step = 0.05,
            .formula = "C = factor · S / E",
            .tooltip = "Used instead of the factor when evaluating.",
            .changesLive = true})
           .when([](const Recipe& recipe) { return !recipe.capacity.dropless(); }),
       value<&Recipe::capacity, &Recipe::Capacity::slots>(
           {.path = "capacity.slots",
            .label = "Slots",
            .minimum = 1,
            .maximum = 1e9,
            .step = 1,
            .unit = "tokens",
            .formula = "C",
            .tooltip = "Room of an expert, given directly instead of by a factor."}),
       value<&Recipe::capacity, &Recipe::Capacity::countsK>(
           {.path = "capacity.counts_k",
            .label = "Count k",
            .formula = "C = factor · S · k / E",
            .tooltip = "Makes the factor count all k choices of a token."})
           .when([](const Recipe& recipe) { return !recipe.capacity.dropless(); }),
       choice<&Recipe::capacity, &Recipe::Capacity::rounding>(
           {.path = "capacity.rounding", .label = "Rounding", .tooltip = "How the room becomes a whole number."},
           Choices<Recipe::Capacity::Rounding>{
               {Recipe::Capacity::Rounding::floor, {"floor", "Down", "⌊C⌋", "Rounds down."}},
               {Recipe::Capacity::Rounding::ceil, {"ceil", "Up", "⌈C⌉", "Rounds up."}},
               {Recipe::Capacity::Rounding::round,
                {"round", "Nearest", "⌊C + ½⌋", "Rounds to the nearest, a half upwards."}}})
           .when([](const Recipe& recipe) { return !recipe.capacity.dropless(); }),
       value<&Recipe::capacity, &Recipe::Capacity::minimum>({.path = "capacity.minimum",
                                                             .label = "At least",
                                                             .minimum = 1,
                                                             .maximum = 1e9,
                                                             .step = 1,
                                                             .unit = "tokens",
                                                             .formula = "max(minimum, C)",
                                                             .tooltip = "Least room of an expert."})
           .when([](const Recipe& recipe) { return !recipe.capacity.dropless(); }),
       value<&Recipe::capacity, &Recipe::Capacity::tokenGroups>(
           {.path = "capacity.token_groups",
            .label = "Token groups",
            .minimum = 1,
            .maximum = 65536,
            .step = 1,
            .unit = "groups",
            .formula = "S = T / groups",
            .tooltip = "Splits the batch into equal groups, each with its own slots."})
           .when([](const Recipe& recipe) { return !recipe.capacity.dropless(); }),
       choice<&Recipe::capacity, &Recipe::Capacity::order>(
           {.path = "capacity.order", .label = "Order", .tooltip = "Who gets a slot first."},
           Choices<Recipe::Capacity::Order>{
               {Recipe::Capacity::Order::slot,
                {"slot", "First choices first", "slot, then token",
                 "All first choices in token order, then all second ones."}},
               {Recipe::Capacity::Order::token,
                {"token", "Token by token", "token, then slot", "A token's choices together, in token order."}},
               {Recipe::Capacity::Order::batchPrioritised,
                {"batch_prioritised", "Surest tokens first", "by score of the first choice",
                 "As first choices first, but tokens that are surest of theirs come before the others."}},
               {Recipe::Capacity::Order::probability,
                {"probability", "Largest weights", "the C largest w of each expert",
                 "Each expert keeps the assignments of largest weight."}}})
           .when([](const Recipe& recipe) { return !recipe.capacity.dropless(); }),
       value<&Recipe::capacity, &Recipe::Capacity::tries>(
           {.path = "capacity.tries",
            .label = "Tries",
            .minimum = 1,
            .maximum = 65536,
            .step = 1,
            .unit = "experts",
            .formula = "rounds i = 1 … tries",
            .tooltip = "How many experts a token without a place tries."})
           .when([](const Recipe& recipe) {
             return !recipe.capacity.dropless() &&
                    recipe.capacity.overflow == Recipe::Capacity::Overflow::noTokenLeftBehind;
           }),
       value<&Recipe::capacity, &Recipe::Capacity::renormaliseAfterDrop>(
           {.path = "capacity.renormalise_after_drop",
            .label = "Renormalise after dropping",
            .formula = "w over the admitted set",
            .tooltip = "Weighs once more over the experts that accepted, so that what is left sums as before."})
           .when([](const Recipe& recipe) { return !recipe.capacity.dropless(); })},
      {}}.withDefaultsOf();
  return table;
}

}  // namespace moe
