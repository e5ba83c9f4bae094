#include <nlohmann/json.hpp>

#include "core/router/balance.h"
#include "core/router/pipeline.h"
#include "core/router/recipe_json.h"
#include "core/tensor/philox.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;
using Term = Recipe::BalanceTerm;

namespace {

constexpr std::int64_t kTokens = 24, kExperts = 6;
constexpr std::size_t kLayers = 2;

/// Tokens [first, first + count) of a step through all layers, with what they were routed from.
struct MicroBatch {
  MicroBatch(const Recipe& recipe, const std::vector<Tensor>& logits, std::int64_t first, std::int64_t count)
      : share(static_cast<double>(count) / static_cast<double>(kTokens)) {
    for (std::size_t l = 0; l < kLayers; ++l) {
      const double* rows = logits[l].as<double>() + first * kExperts;
      given[l] = numbers({count, kExperts}, {rows, rows + count * kExperts});
      input[l].givenLogits = given[l];
      input[l].lossScale = share;
      routeForward(routing[l], recipe, input[l]);
      layers.push_back(&routing[l]);
    }
  }
  MicroBatch(MicroBatch&&) = delete;
  void backward(const Recipe& recipe) {
    for (std::size_t l = 0; l < kLayers; ++l) routeBackwardToLogits(routing[l], recipe, input[l], {});
  }

  double share;  // of the step's tokens
  Tensor given[kLayers];
  RoutingInput input[kLayers];
  Routing routing[kLayers];
  std::vector<Routing*> layers;
};

Recipe balanced(Term::Layers joined, Term::Normalisation normalisation) {
  Recipe recipe;
  recipe.experts.count = kExperts;
  recipe.select.k = 2;
  recipe.balance.push_back({.name = "z", .kind = Term::Kind::z, .coefficient = 0.1});
  recipe.balance.push_back({.name = "load",
                            .coefficient = 0.7,
                            .normalisation = normalisation,
                            .scope = Term::Scope::globalBatch,
                            .layers = joined});
  return recipe;
}

std::vector<Tensor> stepLogits() {
  std::vector<Tensor> logits;
  for (std::size_t l = 0; l < kLayers; ++l) {
    logits.push_back(hostTensor({kTokens, kExperts}, DType::f64));
    fillNormal(logits[l], {.seed = 3, .stream = RandomStream::corpus, .layer = static_cast<std::uint32_t>(l)}, 0, 1);
    // Expert 0 is liked by early tokens, expert 1 by late ones: micro-batches differ from their step.
    for (std::int64_t t = 0; t < kTokens; ++t) logits[l].as<double>()[t * kExperts + (t < kTokens / 2 ? 0 : 1)] += 2;
  }
  return logits;
}

}  // namespace

class GlobalBatchTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void microBatchesTogetherAreOneLargeBatch() {
    const std::vector<Tensor> logits = stepLogits();
    for (const Term::Layers joined : {Term::Layers::separate, Term::Layers::mean, Term::Layers::concatenated})
      for (const Term::Normalisation norm :
           {Term::Normalisation::unit, Term::Normalisation::perToken, Term::Normalisation::mean})
        for (const std::int64_t parts : {1, 2, 3, 8}) {
          const Recipe recipe = balanced(joined, norm);
          MicroBatch whole(recipe, logits, 0, kTokens);
          const BalanceTotals expected = finishBalance(whole.layers, recipe);
          whole.backward(recipe);

          std::vector<std::unique_ptr<MicroBatch>> batches;
          GlobalBatchStatistics global;
          for (std::int64_t i = 0; i < parts; ++i) {
            const MicroBatch& batch = *batches.emplace_back(
                std::make_unique<MicroBatch>(recipe, logits, i * kTokens / parts, kTokens / parts));
            const std::vector<const Routing*> layers(batch.layers.begin(), batch.layers.end());
            global.add(layers, recipe);
          }
          QCOMPARE(global.tokens(), static_cast<double>(kTokens));
          for (std::size_t l = 0; l < kLayers; ++l)
            for (std::size_t e = 0; e < kExperts; ++e)
              QCOMPARE(global.counts(l, 1)[e], static_cast<double>(whole.routing[l].load[e]));

          double loss = 0, value = 0;
          for (std::int64_t i = 0; i < parts; ++i) {
            MicroBatch& batch = *batches[static_cast<std::size_t>(i)];
            const BalanceTotals totals = finishBalance(batch.layers, recipe, &global);
            loss += batch.share * totals.loss;
            value += batch.share * totals.value[1];
            batch.backward(recipe);
            const std::int64_t first = i * kTokens / parts * kExperts;
            for (std::size_t l = 0; l < kLayers; ++l) {
              const std::vector<double> large = valuesOf(whole.routing[l].gradients.logits);
              const std::vector<double> small = valuesOf(batch.routing[l].gradients.logits);
              const std::vector<double> rows(large.begin() + first,
                                             large.begin() + first + static_cast<std::int64_t>(small.size()));
              QVERIFY(distance(small, rows) < 1e-15);
            }
          }
          QVERIFY(std::abs(loss - expected.loss) < 1e-13);
          QVERIFY(std::abs(value - expected.value[1]) < 1e-13);
        }
  }
  void withoutTheStepsCountsEachMicroBatchIsItsOwn() {
    const std::vector<Tensor> logits = stepLogits();
    const Recipe recipe = balanced(Term::Layers::separate, Term::Normalisation::unit);
    MicroBatch whole(recipe, logits, 0, kTokens), early(recipe, logits, 0, kTokens / 2),
        late(recipe, logits, kTokens / 2, kTokens / 2);
    // Each half crowds an expert of its own: together they are better balanced than apart.
    const double apart =
        (finishBalance(early.layers, recipe).value[1] + finishBalance(late.layers, recipe).value[1]) / 2;
    QVERIFY(apart > finishBalance(whole.layers, recipe).value[1] + 0.05);
  }
  void clearingForgetsTheStep() {
    const std::vector<Tensor> logits = stepLogits();
    const Recipe recipe = balanced(Term::Layers::separate, Term::Normalisation::unit);
    MicroBatch batch(recipe, logits, 0, kTokens);
    const std::vector<const Routing*> layers(batch.layers.begin(), batch.layers.end());
    GlobalBatchStatistics global;
    global.add(layers, recipe);
    const std::vector<double> once(global.values().begin(), global.values().end());
    global.clear();
    QVERIFY(global.empty());
    QCOMPARE(global.tokens(), 0.0);
    global.add(layers, recipe);
    QCOMPARE(std::vector<double>(global.values().begin(), global.values().end()), once);
  }
};
SWITCHYARD_TEST(GlobalBatchTest)
#include "global_batch_test.moc"
