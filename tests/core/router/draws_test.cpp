#include "core/router/draws.h"

#include <algorithm>
#include <numbers>

#include "core/router/schedule.h"
#include "core/tensor/philox.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

namespace {

constexpr std::int64_t kTokens = 12, kWidth = 5;

/// A recipe that draws from every stream.
Recipe everyDraw() {
  Recipe recipe;
  recipe.experts.count = 6;
  recipe.perturb.inputJitter = 0.1;
  recipe.perturb.noise = Recipe::Perturb::Noise::gaussian;
  recipe.perturb.wholeExpertDropout = 0.4;
  recipe.select.randomSecond.emplace();
  recipe.select.force = Recipe::Select::Force{{0, 1}, 0.5, 100};
  return recipe;
}

constexpr DrawKey kKey{.seed = 5, .step = 3, .totalSteps = 100, .layer = 2, .firstToken = 40};

std::vector<double> keptAt(const Recipe& recipe, std::int64_t step) {
  DrawBuffers buffers;
  DrawKey key = kKey;
  key.step = step;
  return valuesOf(fillDraws(buffers, recipe, key, Phase::training, kTokens, kWidth, DType::f64).keepExpert);
}

}  // namespace

class DrawsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aTokenDrawsTheSameHoweverTheBatchIsSplit() {
    const Recipe recipe = everyDraw();
    DrawBuffers wholeRoom;
    const RoutingDraws whole = fillDraws(wholeRoom, recipe, kKey, Phase::training, kTokens, kWidth, DType::f64);
    const auto perToken = [](const RoutingDraws& d) {
      return std::vector<TensorView>{d.inputJitter, d.noise, d.randomSecond, d.forceToken, d.forceExpert};
    };
    for (const std::int64_t split : {1, 5, 11}) {
      DrawKey second = kKey;
      second.firstToken += static_cast<std::uint32_t>(split);
      DrawBuffers headRoom, tailRoom;
      const RoutingDraws head = fillDraws(headRoom, recipe, kKey, Phase::training, split, kWidth, DType::f64);
      const RoutingDraws tail =
          fillDraws(tailRoom, recipe, second, Phase::training, kTokens - split, kWidth, DType::f64);
      for (std::size_t i = 0; i < perToken(whole).size(); ++i) {
        std::vector<double> joined = valuesOf(perToken(head)[i]);
        const std::vector<double> rest = valuesOf(perToken(tail)[i]);
        joined.insert(joined.end(), rest.begin(), rest.end());
        QCOMPARE(joined, valuesOf(perToken(whole)[i]));
      }
      // A mask of whole experts belongs to the step: every micro-batch of it sees the same.
      QCOMPARE(valuesOf(head.keepExpert), valuesOf(whole.keepExpert));
      QCOMPARE(valuesOf(tail.keepExpert), valuesOf(whole.keepExpert));
    }
  }
  void seedStepAndLayerEachChangeEveryDraw() {
    const Recipe recipe = everyDraw();
    const auto drawn = [&](const DrawKey& key) {
      DrawBuffers room;
      const RoutingDraws d = fillDraws(room, recipe, key, Phase::training, kTokens, kWidth, DType::f64);
      return std::vector{valuesOf(d.inputJitter), valuesOf(d.noise), valuesOf(d.randomSecond), valuesOf(d.forceToken),
                         valuesOf(d.forceExpert)};
    };
    DrawKey seed = kKey, step = kKey, layer = kKey;
    seed.seed += 1, step.step += 1, layer.layer += 1;
    const auto here = drawn(kKey);
    QCOMPARE(drawn(kKey), here);
    for (const DrawKey& key : {seed, step, layer}) {
      const auto there = drawn(key);
      for (std::size_t i = 0; i < here.size(); ++i) QVERIFY(there[i] != here[i]);
    }
    // Two streams of one shape are two streams.
    QVERIFY(here[2] != here[3] && here[3] != here[4] && here[2] != here[4]);
  }
  void onlyTrainingDraws() {
    for (const Phase phase : {Phase::evaluation, Phase::generation}) {
      DrawBuffers room;
      const RoutingDraws d = fillDraws(room, everyDraw(), kKey, phase, kTokens, kWidth, DType::f64);
      for (const TensorView& view : {d.inputJitter, d.noise, d.keepExpert, d.randomSecond, d.forceToken, d.forceExpert})
        QVERIFY(!view.data);
    }
  }
  void jitterStaysInItsAnnealedBounds() {
    Recipe recipe = everyDraw();
    recipe.perturb.anneal = Recipe::Perturb::Anneal::linear;
    recipe.perturb.annealFraction = 0.5;
    DrawKey key = kKey;
    key.step = 25;  // half of the way to zero
    DrawBuffers room;
    const auto jitter = valuesOf(fillDraws(room, recipe, key, Phase::training, 200, kWidth, DType::f64).inputJitter);
    const auto [low, high] = std::minmax_element(jitter.begin(), jitter.end());
    QVERIFY(*low >= 0.95 && *high <= 1.05);
    QVERIFY(*low < 0.951 && *high > 1.049);  // 1000 draws reach nearly to both ends
    key.step = 50;
    const RoutingDraws after = fillDraws(room, recipe, key, Phase::training, kTokens, kWidth, DType::f64);
    QVERIFY(!after.inputJitter.data && !after.noise.data);
    QVERIFY(after.keepExpert.data);  // dropout of whole experts is not annealed
  }
  void wholeExpertDropoutKeepsEnoughExperts() {
    Recipe recipe = everyDraw();
    for (const int k : {1, 3, 6})
      for (const double rate : {0.4, 0.9, 0.9999}) {
        recipe.select.k = k;
        recipe.perturb.wholeExpertDropout = rate;
        for (std::int64_t step = 0; step < 20; ++step) {
          const std::vector<double> kept = keptAt(recipe, step);
          for (const double value : kept) QVERIFY(value == 0 || value == 1);
          QVERIFY(std::count(kept.begin(), kept.end(), 1.0) >= k);
        }
      }
  }
  void wholeExpertDropoutDropsAtItsRate() {
    Recipe recipe = everyDraw();
    recipe.experts.count = 64;
    recipe.select.k = 1;
    recipe.perturb.wholeExpertDropout = 0.25;
    double dropped = 0;
    for (std::int64_t step = 0; step < 100; ++step)
      for (const double kept : keptAt(recipe, step)) dropped += 1 - kept;
    // 6400 draws: the share's deviation is 0.0054; four of them.
    QVERIFY2(std::abs(dropped / 6400 - 0.25) < 0.022, std::to_string(dropped / 6400).c_str());
  }
  void theColdStartEndsAtItsStep() {
    const Recipe recipe = everyDraw();
    for (const std::int64_t step : {99, 100}) {
      DrawKey key = kKey;
      key.step = step;
      DrawBuffers room;
      const RoutingDraws d = fillDraws(room, recipe, key, Phase::training, kTokens, kWidth, DType::f64);
      QCOMPARE(d.forceToken.data != nullptr, step < 100);
      QCOMPARE(d.forceExpert.data != nullptr, step < 100);
    }
  }
  void aHashRouterHasNothingToPerturb() {
    Recipe recipe = everyDraw();
    recipe.logits.kind = Recipe::Logits::Kind::none;
    DrawBuffers room;
    const RoutingDraws d = fillDraws(room, recipe, kKey, Phase::training, kTokens, kWidth, DType::f64);
    QVERIFY(!d.inputJitter.data && !d.noise.data && !d.keepExpert.data);
  }
  void theAnnealFactorFallsToZeroAtItsFraction() {
    using Anneal = Recipe::Perturb::Anneal;
    Recipe::Perturb perturb;
    perturb.sigma = 3;
    perturb.annealFraction = 0.2;
    const auto factor = [&](Anneal anneal, std::int64_t step) {
      perturb.anneal = anneal;
      return annealFactor(perturb, step, 1000);
    };
    for (const std::int64_t step : {0, 50, 200, 999}) QCOMPARE(factor(Anneal::none, step), 1.0);
    for (const Anneal anneal : {Anneal::linear, Anneal::cosine}) {
      QCOMPARE(factor(anneal, 0), 1.0);
      QCOMPARE(factor(anneal, 100), 0.5);
      QVERIFY(factor(anneal, 199) > 0);
      for (const std::int64_t step : {200, 201, 1000, 5000}) QCOMPARE(factor(anneal, step), 0.0);
      for (std::int64_t step = 1; step <= 200; ++step) QVERIFY(factor(anneal, step) < factor(anneal, step - 1));
    }
    QCOMPARE(factor(Anneal::linear, 50), 0.75);
    QCOMPARE(factor(Anneal::cosine, 50), (1 + std::numbers::sqrt2 / 2) / 2);
    QCOMPARE(noiseScale(perturb, 100, 1000), 1.5);
    perturb.annealFraction = 0;
    for (const Anneal anneal : {Anneal::linear, Anneal::cosine}) QCOMPARE(factor(anneal, 0), 0.0);
  }
};
SWITCHYARD_TEST(DrawsTest)
#include "draws_test.moc"
