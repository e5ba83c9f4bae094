#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "core/router/assignment.h"
#include "core/router/hash_table.h"
#include "core/router/pipeline.h"
#include "core/router/top_k.h"
#include "tests/support/numbers.h"
#include "tests/support/random_routing.h"
#include "tests/support/register.h"
#undef slots  // Qt's keyword; here it is a word of the vocabulary

using namespace moe;
using namespace moe::test;
using Ints = std::vector<std::int32_t>;

namespace {

/// Routes given logits (T, E) and returns the state.
Routing routed(const Recipe& recipe, const std::vector<double>& logits, Phase phase = Phase::training,
               RankingHistory* history = nullptr, std::int64_t trainingTokens = 0) {
  const std::int64_t experts = recipe.experts.count;
  const Tensor z = numbers({static_cast<std::int64_t>(logits.size()) / experts, experts}, logits);
  RoutingInput input;
  input.givenLogits = z;
  input.phase = phase;
  input.history = history;
  input.trainingGroupTokens = trainingTokens;
  Routing routing;
  routeForward(routing, recipe, input);
  return routing;
}

Recipe ranked(int experts, int k) {
  Recipe recipe;
  recipe.experts.count = experts;
  recipe.select.k = k;
  recipe.score = Recipe::Score::identity;
  recipe.weigh.kind = Recipe::Weigh::Kind::score;
  return recipe;
}

double bestTotal(const std::vector<double>& r, std::size_t token, std::vector<int>& room, std::size_t experts) {
  if (token * experts == r.size()) return 0;
  double best = -std::numeric_limits<double>::infinity();
  for (std::size_t e = 0; e < experts; ++e) {
    if (room[e] == 0) continue;
    --room[e];
    best = std::max(best, r[token * experts + e] + bestTotal(r, token + 1, room, experts));
    ++room[e];
  }
  return best;
}

}  // namespace

class SelectTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theLargestComeInDescendingOrderAndTiesGoToTheLowerIndex() {
    const double values[] = {1, 3, 3, -std::numeric_limits<double>::infinity(), 2, 3};
    Ints out(4);
    QCOMPARE(largest(out.data(), values, 6, 4), 4);
    QCOMPARE(out, (Ints{1, 2, 5, 4}));
    out.resize(6);
    QCOMPARE(largest(out.data(), values, 6, 6), 5);
    QCOMPARE(out, (Ints{1, 2, 5, 4, 0, -1}));
  }
  void topPTakesExpertsUntilTheirScoresReachP() {
    Recipe recipe;
    recipe.experts.count = 4;
    recipe.select.kind = Recipe::Select::Kind::topP;
    recipe.weigh.kind = Recipe::Weigh::Kind::score;
    const std::vector<double> row = {std::log(0.1), std::log(0.5), std::log(0.15), std::log(0.25)};
    recipe.select.p = 0.3;
    QCOMPARE(routed(recipe, row).asked, (Ints{1, -1, -1, -1}));
    recipe.select.p = 0.6;
    QCOMPARE(routed(recipe, row).asked, (Ints{1, 3, -1, -1}));
    recipe.select.p = 0.8;
    recipe.adjust.rankBy = Recipe::Adjust::RankBy::logits;
    QCOMPARE(routed(recipe, row).asked, (Ints{1, 3, 2, -1}));
  }
  void aGroupIsWorthItsBestOrItsBestTwo() {
    Recipe recipe = ranked(4, 1);
    recipe.adjust.expertGroups = Recipe::Adjust::ExpertGroups{2, 1, Recipe::Adjust::ExpertGroups::By::max};
    const std::vector<double> row = {5, 0, 4, 3};
    QCOMPARE(routed(recipe, row).asked, Ints{0});
    recipe.adjust.expertGroups->by = Recipe::Adjust::ExpertGroups::By::top2Sum;
    const Routing r = routed(recipe, row);
    QCOMPARE(r.asked, Ints{2});
    QCOMPARE(valuesOf(r.groupScores), (std::vector<double>{5, 7}));
    QCOMPARE(r.groupIndex, Ints{1});
  }
  void aGroupOfNegativeValuesIsNotBeatenByAMaskedOne() {
    Recipe recipe = ranked(4, 2);
    recipe.adjust.expertGroups = Recipe::Adjust::ExpertGroups{2, 1, Recipe::Adjust::ExpertGroups::By::max};
    QCOMPARE(routed(recipe, {-5, -6, -1, -9}).asked, (Ints{2, 3}));
  }
  void theAssignmentIsTheBestOfAllBalancedOnes() {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      Choices choices(seed);
      const std::size_t experts = static_cast<std::size_t>(choices.between(2, 4)), tokens = experts * 2;
      std::vector<double> r(tokens * experts);
      // Every other case has many exact ties.
      for (double& v : r) v = seed % 2 ? choices.uniform() : choices.below(3);
      Ints out(tokens);
      assignBalanced(std::span(out), r.data(), static_cast<std::int64_t>(tokens), static_cast<std::int64_t>(experts));
      double total = 0;
      Ints load(experts);
      for (std::size_t t = 0; t < tokens; ++t) {
        total += r[t * experts + static_cast<std::size_t>(out[t])];
        ++load[static_cast<std::size_t>(out[t])];
      }
      QCOMPARE(load, Ints(experts, 2));
      std::vector<int> room(experts, 2);
      QVERIFY(std::abs(total - bestTotal(r, 0, room, experts)) < 1e-12);
    }
  }
  void aLargeAssignmentCannotBeImprovedByASwap() {
    const std::int64_t tokens = 512, experts = 16;
    const Tensor r = hostTensor({tokens, experts}, DType::f32);
    fillNormal(r, {.seed = 5}, 0, 1);
    for (std::int64_t t = 0; t < tokens; ++t) r.as<float>()[t * experts] += 3;  // everyone wants expert 0
    Ints out(static_cast<std::size_t>(tokens));
    assignBalanced(std::span(out), r.as<float>(), tokens, experts);
    const auto value = [&](std::int64_t t, std::int32_t e) {
      return static_cast<double>(r.as<float>()[t * experts + e]);
    };
    for (std::int64_t a = 0; a < tokens; ++a)
      for (std::int64_t b = 0; b < a; ++b) {
        const std::int32_t ea = out[static_cast<std::size_t>(a)], eb = out[static_cast<std::size_t>(b)];
        QVERIFY(value(a, ea) + value(b, eb) >= value(a, eb) + value(b, ea) - 1e-9);
      }
    for (std::int32_t e = 0; e < experts; ++e) QCOMPARE(std::count(out.begin(), out.end(), e), 32);
  }
  void oneTokenAtATimeTheAssignmentIsTheArgmax() {
    Recipe recipe = ranked(2, 1);
    recipe.select.kind = Recipe::Select::Kind::assignment;
    QCOMPARE(routed(recipe, {2, 1, 3, 1}).asked, (Ints{1, 0}));  // 1 + 3 beats 2 + 1
    QCOMPARE(routed(recipe, {2, 1, 3, 1}, Phase::generation).asked, (Ints{0, 0}));
  }
  void expertsChooseTheirTokensInDescendingOrder() {
    Recipe recipe = ranked(2, 1);
    recipe.select.kind = Recipe::Select::Kind::expertChoice;
    recipe.capacity.slots = 2;
    const Routing r = routed(recipe, {1, 5, 4, 5, 4, 0, 2, 6});
    QCOMPARE(r.expertTokens, (Ints{1, 2, 3, 0}));
    QCOMPARE(r.load, (std::vector<std::int64_t>{2, 2}));
    QCOMPARE(r.position[3 * 2 + 1], 0);
  }
  void expertChoiceRefusesToGenerateUnlessItMayChooseFromThePast() {
    Recipe recipe = ranked(1, 1);
    recipe.select.kind = Recipe::Select::Kind::expertChoice;
    recipe.capacity.slots = 2;
    QVERIFY_EXCEPTION_THROWN(routed(recipe, {1, 2}, Phase::generation), Error);
    recipe.select.generation = Recipe::Select::Generation::past;
    // C = 2 of S = 4: positions 1..3 allow one place, position 4 two. Earlier values of at least one's own count.
    const std::vector<double> values = {3, 4, 3.5, 3.8};
    QCOMPARE(routed(recipe, values, Phase::generation, nullptr, 4).asked, (Ints{0, 0, -1, 0}));
    RankingHistory history;
    Ints oneByOne;
    for (double v : values) oneByOne.push_back(routed(recipe, {v}, Phase::generation, &history, 4).asked[0]);
    QCOMPARE(oneByOne, (Ints{0, 0, -1, 0}));
    QCOMPARE(history.positions, std::int64_t{4});
  }
  void theHashTableIsBalancedAndFixedByItsSeed() {
    const Ints table = makeHashTable(1003, 8, 7, 1);
    QCOMPARE(table, makeHashTable(1003, 8, 7, 1));
    QVERIFY(table != makeHashTable(1003, 8, 8, 1));
    QVERIFY(table != makeHashTable(1003, 8, 7, 2));
    for (std::int32_t e = 0; e < 8; ++e) {
      const auto ids = std::count(table.begin(), table.end(), e);
      QVERIFY(ids == 125 || ids == 126);
    }
  }
  void maskedExpertsAreNeverSelected() {
    for (const auto kind : {Recipe::Select::Kind::topK, Recipe::Select::Kind::topP, Recipe::Select::Kind::all}) {
      Recipe recipe;
      recipe.experts.count = 4;
      recipe.select.kind = kind;
      const Tensor keep = numbers({4}, {1, 0, 1, 1}), z = numbers({1, 4}, {0, 9, 1, 2});
      RoutingInput input;
      input.givenLogits = z;
      input.draws.keepExpert = keep;
      Routing r;
      routeForward(r, recipe, input);
      QVERIFY(std::find(r.asked.begin(), r.asked.end(), 1) == r.asked.end());
      QCOMPARE(r.scores.as<double>()[1], 0.0);
    }
  }
};
SWITCHYARD_TEST(SelectTest)
#include "select_test.moc"
