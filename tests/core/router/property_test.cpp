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

      // Normalised weights sum to the scale over the set they were weighed on.
      const Tensor& weighed = r.setChanged ? r.finalWeight : r.askedWeight;
      const std::vector<std::int32_t>& set = r.setChanged ? r.final : r.asked;
      const bool normalised = recipe.weigh.kind == Recipe::Weigh::Kind::softmaxSelected ||
                              (recipe.weigh.kind == Recipe::Weigh::Kind::renormalised && recipe.weigh.epsilon == 0);
      for (std::size_t t = 0; normalised && t < static_cast<std::size_t>(r.tokens); ++t) {
        double sum = 0;
        bool any = false;
        for (std::size_t j = 0; j < slots; ++j)
          sum += weighed.as<double>()[t * slots + j], any |= set[t * slots + j] >= 0;
        HOLDS(std::abs(sum - (any ? recipe.weigh.scale : 0)) < 1e-12);
      }
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
    for (std::uint64_t seed = 700; seed < 800; ++seed) {
      Recipe recipe;
      recipe.experts.count = 6;
      recipe.select.k = 2;
      recipe.capacity.slots = 5;
      recipe.balance.emplace_back().coefficient = 1;
      RandomRouting one(recipe, seed), other(recipe, seed);
      const std::vector<std::int32_t> name = {3, 1, 5, 0, 2, 4};  // old expert e is name[e]
      for (std::size_t e = 0; e < 6; ++e)
        for (std::size_t d = 0; d < static_cast<std::size_t>(RandomRouting::kWidth); ++d)
          other.weight.as<double>()[static_cast<std::size_t>(name[e]) * 6 + d] = one.weight.as<double>()[e * 6 + d];
      HOLDS(std::abs(one.objective() - other.objective()) < 1e-12);
      for (std::size_t i = 0; i < one.routing.final.size(); ++i) {
        const std::int32_t e = one.routing.final[i];
        HOLDS(other.routing.final[i] == (e < 0 ? -1 : name[static_cast<std::size_t>(e)]));
      }
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
