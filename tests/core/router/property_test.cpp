#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "core/router/capacity.h"
#include "core/router/recipe_json.h"
#include "tests/support/random_routing.h"
#include "tests/support/register.h"
#undef slots  // Qt's keyword; here it is a word of the vocabulary

using namespace moe;
using namespace moe::test;

namespace {

/// Every weight is what the weigh stage says of the set it was weighed on, summed over a token: scale * sum of s, of
/// s / (sum of s + epsilon), of a softmax (1), or of ones.
bool weightsFitTheStage(const Routing& r, const Recipe& recipe) {
  using Kind = Recipe::Weigh::Kind;
  const Tensor& weighed = r.setChanged ? r.finalWeight : r.askedWeight;
  const std::vector<std::int32_t>& set = r.setChanged ? r.final : r.asked;
  for (std::int64_t t = 0; t < r.tokens; ++t) {
    double sum = 0, scores = 0;
    int members = 0;
    for (std::int64_t j = 0; j < r.slots; ++j) {
      const std::int64_t at = t * r.slots + j;
      const std::int32_t e = set[static_cast<std::size_t>(at)];
      sum += weighed.as<double>()[at];
      if (e < 0) continue;
      ++members;
      if (!r.scores.empty()) scores += r.scores.as<double>()[t * r.experts + e];
    }
    double expected = 0;
    switch (recipe.weigh.kind) {
      case Kind::score: expected = scores; break;
      case Kind::renormalised: expected = members ? scores / (scores + recipe.weigh.epsilon) : 0; break;
      case Kind::softmaxSelected: expected = members ? 1 : 0; break;
      case Kind::one: expected = members; break;
    }
    if (!(std::abs(sum - recipe.weigh.scale * expected) < 1e-12)) return false;
  }
  return true;
}

/// Whether a routing whose experts have other numbers is the same one under these numbers.
bool renamed(const Recipe& recipe, std::uint64_t seed) {
  RandomRouting one(recipe, seed), other(recipe, seed);
  const std::vector<std::size_t> name = {3, 1, 5, 0, 2, 4};  // old expert e is name[e]
  for (std::size_t e = 0; e < 6; ++e) {
    for (std::size_t d = 0; d < static_cast<std::size_t>(RandomRouting::kWidth); ++d)
      other.weight.as<double>()[name[e] * 6 + d] = one.weight.as<double>()[e * 6 + d];
    other.bias.as<double>()[name[e]] = one.bias.as<double>()[e];
    if (!one.selectionBias.empty()) other.selectionBias[name[e]] = one.selectionBias[e];
  }
  // Upstream gradients lie by slot; where a slot is an expert they are renamed too.
  const bool bySlot = recipe.slotsPerToken() == 6 && recipe.select.kind != Recipe::Select::Kind::topP;
  for (std::int64_t t = 0; bySlot && t < RandomRouting::kTokens; ++t)
    for (std::size_t e = 0; e < 6; ++e)
      other.upstream.as<double>()[static_cast<std::size_t>(t) * 6 + name[e]] =
          one.upstream.as<double>()[static_cast<std::size_t>(t) * 6 + e];
  if (!(std::abs(one.objective() - other.objective()) < 1e-12)) return false;
  for (std::size_t e = 0; e < 6; ++e)
    if (one.routing.load[e] != other.routing.load[name[e]]) return false;
  for (std::size_t i = 0; i < one.routing.final.size(); ++i) {
    const std::size_t at = bySlot ? i / 6 * 6 + name[i % 6] : i;
    const std::int32_t e = one.routing.final[i];
    if (other.routing.final[at] != (e < 0 ? -1 : static_cast<std::int32_t>(name[static_cast<std::size_t>(e)])))
      return false;
  }
  return true;
}

}  // namespace

#define HOLDS(condition) QVERIFY2(condition, (std::to_string(seed) + ": " + toJson(recipe).dump()).c_str())

class PropertyTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void countsSetsAndWeightsFitTogetherInEveryRecipe() {
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
      Choices choices(seed);
      RandomRouting run(randomRecipe(choices), seed);
      const Recipe& recipe = run.recipe();
      run.objective();
      const Routing& r = run.routing;
      const auto slots = static_cast<std::size_t>(r.slots);

      std::int64_t asked = 0, admitted = 0, skipped = 0;
      for (std::size_t i = 0; i < r.asked.size(); ++i) {
        asked += r.asked[i] >= 0 && r.wantsSlot[i];
        skipped += !r.wantsSlot[i];
        admitted += r.final[i] >= 0;
        HOLDS((r.final[i] >= 0) || r.finalWeight.as<double>()[i] == 0);
      }
      HOLDS(std::accumulate(r.load.begin(), r.load.end(), std::int64_t{0}) == asked);
      HOLDS(r.dropped == asked - admitted && r.skipped == skipped);
      HOLDS(r.dispatch.assignments() == asked && r.dispatch.admitted() == admitted);

      // No token uses an expert twice; no expert takes more than C in a token group.
      for (std::size_t t = 0; t < static_cast<std::size_t>(r.tokens); ++t) {
        std::set<std::int32_t> used;
        for (std::size_t j = 0; j < slots; ++j)
          if (const std::int32_t e = r.final[t * slots + j]; e >= 0) HOLDS(used.insert(e).second);
      }
      if (r.capacitySlots > 0)
        for (int g = 0; g < recipe.capacity.tokenGroups; ++g) {
          std::vector<std::int64_t> taken(static_cast<std::size_t>(r.experts));
          const TokenRange range = tokenGroup(r.tokens, recipe.capacity.tokenGroups, g);
          for (std::int64_t i = range.begin * r.slots; i < range.end * r.slots; ++i)
            if (r.final[static_cast<std::size_t>(i)] >= 0)
              ++taken[static_cast<std::size_t>(r.final[static_cast<std::size_t>(i)])];
          for (std::int64_t count : taken) HOLDS(count <= r.capacitySlots);
          if (recipe.select.kind == Recipe::Select::Kind::expertChoice && !run.input.draws.keepExpert.data)
            for (std::int64_t count : taken) HOLDS(count == std::min(r.capacitySlots, range.end - range.begin));
        }

      // Dropped experts may leave a kept group with fewer than k.
      if (recipe.select.kind == Recipe::Select::Kind::topK && !recipe.select.randomSecond &&
          recipe.perturb.wholeExpertDropout == 0)
        HOLDS(admitted == r.tokens * recipe.select.k - r.dropped);
      HOLDS(weightsFitTheStage(r, recipe));
    }
  }

  void theDispatchListsEachAssignmentOnceInOrder() {
    for (std::uint64_t seed = 500; seed < 700; ++seed) {
      Choices choices(seed);
      RandomRouting run(randomRecipe(choices), seed);
      const Recipe& recipe = run.recipe();
      run.objective();
      const Routing& r = run.routing;
      const Dispatch& d = r.dispatch;
      for (std::int32_t e = 0; e < d.experts; ++e)
        for (std::int32_t i = d.expertBegin[static_cast<std::size_t>(e)];
             i < d.expertBegin[static_cast<std::size_t>(e) + 1]; ++i) {
          const auto at = static_cast<std::size_t>(i);
          const bool admitted = i < d.admittedEnd[static_cast<std::size_t>(e)];
          const auto entry = static_cast<std::size_t>(d.token[at]) * static_cast<std::size_t>(r.slots) +
                             static_cast<std::size_t>(d.slot[at]);
          HOLDS(admitted ? r.final[entry] == e : r.final[entry] < 0 && r.asked[entry] == e);
          HOLDS(!admitted || d.weight[at] == r.finalWeight.as<double>()[entry]);
          const bool first =
              i == d.expertBegin[static_cast<std::size_t>(e)] || i == d.admittedEnd[static_cast<std::size_t>(e)];
          HOLDS(first || d.token[at - 1] < d.token[at]);
        }
      for (std::size_t t = 0; t < static_cast<std::size_t>(d.tokens); ++t)
        for (std::int32_t i = d.tokenBegin[t]; i < d.tokenBegin[t + 1]; ++i) {
          const auto entry = static_cast<std::size_t>(d.assignmentOf[static_cast<std::size_t>(i)]);
          HOLDS(d.token[entry] == static_cast<std::int32_t>(t));
          HOLDS(i == d.tokenBegin[t] ||
                d.slot[static_cast<std::size_t>(d.assignmentOf[static_cast<std::size_t>(i) - 1])] < d.slot[entry]);
        }
      HOLDS(d.tokenBegin.back() == d.admitted());
    }
  }

  void renamingTheExpertsRenamesTheResult() {
    using Kind = Recipe::Select::Kind;
    for (const Kind kind : {Kind::topK, Kind::topP, Kind::assignment, Kind::expertChoice})
      for (const auto score : {Recipe::Score::softmax, Recipe::Score::sigmoid})
        for (std::uint64_t seed = 700; seed < 720; ++seed) {
          Recipe recipe;
          recipe.experts.count = 6;
          recipe.select.kind = kind;
          recipe.score = score;
          recipe.weigh.kind = Recipe::Weigh::Kind::score;
          recipe.logits.bias = true;
          if (kind != Kind::assignment) recipe.capacity.slots = 5;
          if (kind == Kind::topK) recipe.adjust.selectionBias.emplace();
          if (kind == Kind::topK || kind == Kind::topP) recipe.balance.emplace_back().coefficient = 1;
          if (!problems(recipe).empty()) continue;  // top-p of sigmoid scores
          HOLDS(renamed(recipe, seed));
        }
  }

  void aSecondPassOverTheSameRoutingGivesTheSameBits() {
    for (std::uint64_t seed = 800; seed < 900; ++seed) {
      Choices choices(seed);
      const Recipe recipe = randomRecipe(choices), before = randomRecipe(choices);
      RandomRouting fresh(recipe, seed), used(recipe, seed), first(before, seed + 1);
      const double expected = fresh.objective();
      first.objective();
      used.routing = std::move(first.routing);  // whatever another recipe left must not show
      HOLDS(used.objective() == expected);
      HOLDS(used.objective() == expected);
      HOLDS(used.routing.final == fresh.routing.final && used.routing.position == fresh.routing.position);
    }
  }
};
SWITCHYARD_TEST(PropertyTest)
#include "property_test.moc"
