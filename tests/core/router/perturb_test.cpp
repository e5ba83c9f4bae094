#include "core/router/perturb.h"

#include <cmath>

#include "core/router/balance.h"
#include "core/router/pipeline.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;
using Ints = std::vector<std::int32_t>;

namespace {

const std::vector<double> kLogits = {1.0, 0.5, -0.5, 0.2, -1.0, 0.8, 0.1, 0.3};  // (2, 4)
const std::vector<double> kDraws = {-1.0, 0.5, 2.0, 0.1, 1.5, -2.0, 0.4, 0.2};   // N(0,1)

struct Perturbed {
  Tensor z = numbers({2, 4}, kLogits), noise = numbers({2, 4}, kDraws), keep;
  RoutingInput input;
  Routing routing;
  explicit Perturbed(const Recipe& recipe, bool withNoise = true, const std::vector<double>& kept = {}) {
    input.givenLogits = z;
    if (withNoise) input.draws.noise = noise;
    if (!kept.empty()) {
      keep = numbers({4}, kept);
      input.draws.keepExpert = keep;
    }
    input.step = 5;
    input.totalSteps = 100;
    routeForward(routing, recipe, input);
  }
};

Recipe gaussian(double sigma) {
  Recipe recipe;
  recipe.experts.count = 4;
  recipe.perturb.noise = Recipe::Perturb::Noise::gaussian;
  recipe.perturb.sigma = sigma;
  return recipe;
}

std::vector<double> softmaxRows(std::vector<double> z, const std::vector<double>& keep = {1, 1, 1, 1}) {
  for (std::size_t row = 0; row < z.size(); row += 4) {
    double sum = 0;
    for (std::size_t e = 0; e < 4; ++e) sum += z[row + e] = keep[e] * std::exp(z[row + e]);
    for (std::size_t e = 0; e < 4; ++e) z[row + e] /= sum;
  }
  return z;
}

/// z + factor * draw, as the vocabulary has it.
std::vector<double> noisy(double factor) {
  std::vector<double> z = kLogits;
  for (std::size_t i = 0; i < z.size(); ++i) z[i] += factor * kDraws[i];
  return z;
}

}  // namespace

class PerturbTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void gaussianNoiseReachesSelectionScoresAndWeights() {
    const Perturbed p(gaussian(0.8));
    const std::vector<double> z = noisy(0.8), s = softmaxRows(z);
    QVERIFY(distance(valuesOf(p.routing.noisyLogits), z) < 1e-15);
    QVERIFY(distance(valuesOf(p.routing.scores), s) < 1e-15);
    QCOMPARE(p.routing.asked, (Ints{2, 1, 3, 2}));  // z' = 0.2 0.9 1.1 0.28 | 0.2 -0.8 0.42 0.46
    const double first = s[2] / (s[2] + s[1]);
    QVERIFY(std::abs(p.routing.finalWeight.as<double>()[0] - first) < 1e-15);
  }
  void gaussianNoiseOnSelectionAloneLeavesScoresAndWeightsClean() {
    Recipe recipe = gaussian(0.8);
    recipe.perturb.noiseAppliesTo = Recipe::Perturb::AppliesTo::selection;
    recipe.balance = {{.name = "load", .coefficient = 1}};
    Perturbed p(recipe);
    QVERIFY(distance(valuesOf(p.routing.scores), softmaxRows(kLogits)) < 1e-15);
    QCOMPARE(p.routing.asked, (Ints{2, 1, 3, 2}));  // as above: r is made of z'
    const std::vector<double> s = softmaxRows(kLogits);
    QVERIFY(std::abs(p.routing.finalWeight.as<double>()[0] - s[2] / (s[2] + s[1])) < 1e-15);
    // E/n sum f P with the counts of the noisy selection and the clean scores.
    Routing* const layer[] = {&p.routing};
    finishBalance(layer, recipe);
    const double counts[] = {0, 1, 2, 1};
    double expected = 0;
    for (std::size_t e = 0; e < 4; ++e) expected += 4.0 / 2 * counts[e] / 2 * (s[e] + s[4 + e]) / 2;
    QVERIFY(std::abs(p.routing.balance[0].value - expected) < 1e-14);
  }
  void theDeviationIsAnnealed() {
    Recipe recipe = gaussian(0.8);
    recipe.perturb.anneal = Recipe::Perturb::Anneal::linear;
    recipe.perturb.annealFraction = 0.1;  // of 100 steps; this is step 5
    QVERIFY(distance(valuesOf(Perturbed(recipe).routing.noisyLogits), noisy(0.4)) < 1e-15);
  }
  void withoutDrawsThereIsNoNoise() {
    const Perturbed p(gaussian(0.8), false);
    QVERIFY(p.routing.noisyLogits.empty());
    QVERIFY(distance(valuesOf(p.routing.scores), softmaxRows(kLogits)) < 1e-15);
  }
  void theZTermReadsTheLogitsBeforeTheNoise() {
    Recipe recipe = gaussian(0.8);
    recipe.balance = {{.name = "z", .kind = Recipe::BalanceTerm::Kind::z, .coefficient = 1}};
    Perturbed p(recipe);
    Routing* const layer[] = {&p.routing};
    finishBalance(layer, recipe);
    double expected = 0;
    for (std::size_t row = 0; row < 8; row += 4) {
      double sum = 0;
      for (std::size_t e = 0; e < 4; ++e) sum += std::exp(kLogits[row + e]);
      expected += std::log(sum) * std::log(sum) / 2;
    }
    QVERIFY(std::abs(p.routing.balance[0].value - expected) < 1e-14);
  }
  void aWholeExpertDroppedIsAsIfItWereNotThere() {
    const std::vector<double> keep = {0, 1, 1, 1};
    Recipe recipe;
    recipe.experts.count = 4;
    for (const auto score : {Recipe::Score::softmax, Recipe::Score::sigmoid}) {
      recipe.score = score;
      Perturbed p(recipe, false, keep);
      QCOMPARE(p.routing.asked, (Ints{1, 3, 1, 3}));
      for (const std::size_t at : {std::size_t{0}, std::size_t{4}}) {
        QCOMPARE(p.routing.scores.as<double>()[at], 0.0);
        QCOMPARE(p.routing.ranking.as<double>()[at], -std::numeric_limits<double>::infinity());
      }
      if (score == Recipe::Score::softmax)
        QVERIFY(distance(valuesOf(p.routing.scores), softmaxRows(kLogits, keep)) < 1e-15);
      QCOMPARE(p.routing.load, (std::vector<std::int64_t>{0, 2, 0, 2}));
      // Nothing flows to the logit of an expert that is not there.
      routeBackwardToLogits(p.routing, recipe, p.input, std::vector<double>{1, 2, 3, 4});
      QCOMPARE(p.routing.gradients.logits.as<double>()[0], 0.0);
      QCOMPARE(p.routing.gradients.logits.as<double>()[4], 0.0);
      QVERIFY(p.routing.gradients.logits.as<double>()[1] != 0);
    }
  }
  void jitterReachesTheRoutersCopyAlone() {
    Recipe recipe;
    recipe.experts.count = 2;
    recipe.select.k = 1;
    recipe.weigh.kind = Recipe::Weigh::Kind::score;
    recipe.perturb.inputJitter = 0.1;
    const Tensor x = numbers({1, 3}, {1, -2, 3}), factor = numbers({1, 3}, {0.9, 1.1, 1.05}),
                 weight = numbers({2, 3}, {1, 2, 3, -1, 0.5, 2});
    RoutingInput input;
    input.x = x;
    input.weights.weight = weight;
    input.draws.inputJitter = factor;
    Routing r;
    routeForward(r, recipe, input);
    QVERIFY(distance(valuesOf(r.routerInput), {0.9, -2.2, 3.15}) < 1e-15);
    QVERIFY(distance(valuesOf(r.logits), {0.9 - 4.4 + 9.45, -0.9 - 1.1 + 6.3}) < 1e-14);
    QCOMPARE(valuesOf(x), (std::vector<double>{1, -2, 3}));
  }
};
SWITCHYARD_TEST(PerturbTest)
#include "perturb_test.moc"
