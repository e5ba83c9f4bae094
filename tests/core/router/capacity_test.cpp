#include "core/router/capacity.h"

#include "core/router/pipeline.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"
#undef slots  // Qt's keyword; here it is a word of the vocabulary

using namespace moe;
using namespace moe::test;
using Ints = std::vector<std::int32_t>;
using Order = Recipe::Capacity::Order;
using Overflow = Recipe::Capacity::Overflow;

namespace {

Recipe limited(int experts, int k, std::int64_t slots) {
  Recipe recipe;
  recipe.experts.count = experts;
  recipe.select.k = k;
  recipe.score = Recipe::Score::identity;
  recipe.weigh.kind = Recipe::Weigh::Kind::score;
  recipe.capacity.slots = slots;
  return recipe;
}

Routing routed(const Recipe& recipe, const std::vector<double>& logits, Phase phase = Phase::training) {
  const std::int64_t experts = recipe.experts.count;
  const Tensor z = numbers({static_cast<std::int64_t>(logits.size()) / experts, experts}, logits);
  RoutingInput input;
  input.givenLogits = z;
  input.phase = phase;
  Routing routing;
  routeForward(routing, recipe, input);
  return routing;
}

// Three tokens over three experts: all want expert 0 first, with weights 5, 7, 6; then 1, 1, 2.
const std::vector<double> kRush = {5, 4, 1, 7, 3, 0, 6, 0, 2};

}  // namespace

class CapacityTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theFactorIsRoundedAsAsked() {
    Recipe recipe;
    recipe.experts.count = 8;
    recipe.select.k = 2;
    recipe.capacity.factor = 1.25;
    const auto slots = [&](std::int64_t tokens, Phase phase = Phase::training) {
      return slotsOfExpert(recipe, tokens, phase);
    };
    QCOMPARE(slots(10), 2);  // 1.5625, up
    recipe.capacity.rounding = Recipe::Capacity::Rounding::floor;
    QCOMPARE(slots(10), 1);
    recipe.capacity.rounding = Recipe::Capacity::Rounding::round;
    QCOMPARE(slots(16), 3);  // 2.5: half up
    QCOMPARE(slots(15), 2);  // 2.34
    recipe.capacity.countsK = true;
    QCOMPARE(slots(16), 5);
    recipe.capacity.minimum = 9;
    QCOMPARE(slots(16), 9);
    QCOMPARE(slots(4), 4);  // never more than the group has
    recipe.capacity.factor = 1e9;
    QCOMPARE(slots(16), 16);
  }
  void evaluationHasItsOwnFactorAndGenerationNone() {
    Recipe recipe;
    recipe.experts.count = 4;
    recipe.capacity.factor = 1;
    QCOMPARE(slotsOfExpert(recipe, 16, Phase::evaluation), 4);
    recipe.capacity.evalFactor = 2;
    QCOMPARE(slotsOfExpert(recipe, 16, Phase::training), 4);
    QCOMPARE(slotsOfExpert(recipe, 16, Phase::evaluation), 8);
    QCOMPARE(slotsOfExpert(recipe, 16, Phase::generation), 0);
    QCOMPARE(slotsOfExpert(Recipe{}, 16, Phase::training), 0);
  }
  void slotOrderAdmitsAllFirstChoicesBeforeAnySecond() {
    const Routing r = routed(limited(3, 2, 2), kRush);
    QCOMPARE(r.asked, (Ints{0, 1, 0, 1, 0, 2}));
    QCOMPARE(r.final, (Ints{0, 1, 0, 1, -1, 2}));
    QCOMPARE(r.position, (Ints{0, 0, 1, 1, -1, 0}));
    QCOMPARE(r.dropped, std::int64_t{1});
  }
  void tokenOrderServesATokensChoicesTogether() {
    // Token 0 asks 0 then 1; token 1 asks 1 then 0.
    Recipe recipe = limited(2, 2, 1);
    QCOMPARE(routed(recipe, {2, 1, 1, 2}).final, (Ints{0, -1, 1, -1}));
    recipe.capacity.order = Order::token;
    QCOMPARE(routed(recipe, {2, 1, 1, 2}).final, (Ints{0, 1, -1, -1}));
  }
  void theSurestTokensOrTheLargestWeightsComeFirst() {
    Recipe recipe = limited(3, 2, 1);
    recipe.capacity.order = Order::batchPrioritised;
    Routing r = routed(recipe, kRush);
    QCOMPARE(r.final, (Ints{-1, -1, 0, 1, -1, 2}));
    recipe.capacity.order = Order::probability;
    r = routed(recipe, kRush);
    QCOMPARE(r.final, (Ints{-1, 1, 0, -1, -1, 2}));  // expert 1 prefers the weight 4 of token 0
    QCOMPARE(r.position, (Ints{-1, 0, 0, -1, -1, 0}));
  }
  void equalWeightsAreServedInTokenOrder() {
    Recipe recipe = limited(2, 1, 1);
    for (Order order : {Order::slot, Order::token, Order::batchPrioritised, Order::probability}) {
      recipe.capacity.order = order;
      QCOMPARE(routed(recipe, {1, 0, 1, 0, 1, 0}).final, (Ints{0, -1, -1}));
    }
  }
  void eachTokenGroupHasItsOwnSlots() {
    Recipe recipe = limited(2, 1, 1);
    recipe.capacity.tokenGroups = 2;
    QCOMPARE(routed(recipe, {1, 0, 1, 0, 1, 0, 1, 0}).final, (Ints{0, -1, 0, -1}));
  }
  void overflowGoesToTheBestUnusedExpertWithRoom() {
    Recipe recipe = limited(3, 2, 2);
    recipe.capacity.overflow = Overflow::nextBest;
    // Token 2 finds expert 0 full and takes 2; its second slot then finds only expert 1, which tokens 0 and 1 filled.
    const Routing r = routed(recipe, kRush);
    QCOMPARE(r.final, (Ints{0, 1, 0, 1, 2, -1}));
    QCOMPARE(r.dropped, std::int64_t{1});
    QCOMPARE(r.load, (std::vector<std::int64_t>{3, 2, 1}));  // what was asked, before capacity
    QCOMPARE(valuesOf(r.finalWeight), (std::vector<double>{5, 4, 7, 3, 2, 0}));
  }
  void inRoundsEveryTokenTriesItsNextExpert() {
    Recipe recipe = limited(3, 1, 1);
    recipe.capacity.overflow = Overflow::noTokenLeftBehind;
    recipe.capacity.tries = 2;
    QCOMPARE(routed(recipe, kRush).final, (Ints{0, 1, 2}));
    recipe.capacity.tries = 1;
    QCOMPARE(routed(recipe, kRush).final, (Ints{0, -1, -1}));
  }
  void aForcedExpertIsTriedBeforeTheRanking() {
    Recipe recipe = limited(3, 1, 1);
    recipe.select.force = Recipe::Select::Force{{2}, 1.0, 10};
    const Tensor z = numbers({2, 3}, {5, 4, 1, 5, 4, 1}), u = numbers({2}, {0, 0});
    RoutingInput input;
    input.givenLogits = z;
    input.draws.forceToken = input.draws.forceExpert = u;
    for (Overflow overflow : {Overflow::nextBest, Overflow::noTokenLeftBehind}) {
      recipe.capacity.overflow = overflow;
      recipe.capacity.tries = 2;
      Routing r;
      routeForward(r, recipe, input);
      QCOMPARE(r.beforeForce, (Ints{0, 0}));
      QCOMPARE(r.final, (Ints{2, 0}));
    }
  }
  void whatIsLeftMayBeWeighedOnceMore() {
    Recipe recipe = limited(2, 2, 1);
    recipe.score = Recipe::Score::softmax;
    recipe.weigh.kind = Recipe::Weigh::Kind::renormalised;
    QVERIFY(routed(recipe, {2, 1, 1, 2}).finalWeight.as<double>()[0] < 0.8);
    recipe.capacity.renormaliseAfterDrop = true;
    QCOMPARE(valuesOf(routed(recipe, {2, 1, 1, 2}).finalWeight), (std::vector<double>{1, 0, 1, 0}));
  }
  void generationAdmitsEverything() {
    Recipe recipe = limited(3, 2, 1);
    recipe.capacity.overflow = Overflow::nextBest;
    const Routing r = routed(recipe, kRush, Phase::generation);
    QCOMPARE(r.final, r.asked);
    QCOMPARE(r.dropped, std::int64_t{0});
  }
  void aSkippedSecondChoiceIsNeitherLoadNorDroppedButMayTakeASlot() {
    Recipe recipe;
    recipe.experts.count = 3;
    recipe.select.randomSecond = Recipe::Select::RandomSecond{2.0, false};
    recipe.capacity.slots = 1;
    // Both tokens have expert 1 second, with weights near 0.27; only the second asks for it.
    const Tensor z = numbers({2, 3}, {1, 0, -9, 1, 0, -9}), u = numbers({2}, {0.9, 0.1});
    RoutingInput input;
    input.givenLogits = z;
    input.draws.randomSecond = u;
    Routing r;
    routeForward(r, recipe, input);
    QCOMPARE(r.final, (Ints{0, -1, -1, 1}));
    QCOMPARE(r.load, (std::vector<std::int64_t>{2, 1, 0}));
    QCOMPARE(r.skipped, std::int64_t{1});
    QCOMPARE(r.dropped, std::int64_t{1});
    recipe.select.randomSecond->skippedTakesSlot = true;
    routeForward(r, recipe, input);
    QCOMPARE(r.final, (Ints{0, -1, -1, -1}));
    input.phase = Phase::evaluation;
    routeForward(r, recipe, input);
    QCOMPARE(r.skipped, std::int64_t{0});
  }
};
SWITCHYARD_TEST(CapacityTest)
#include "capacity_test.moc"
