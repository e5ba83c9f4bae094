#include <cmath>

#include "core/backend/backend.h"
#include "core/model/segments.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;

namespace {

struct Watched {
  std::unique_ptr<Backend> backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f64});
  Model model;
  Batch batch;
  explicit Watched(const ModelConfig& config)
      : model(*backend, config, DType::f64, true), batch(test::tinyBatch(2, 6, 256)) {
    model.initialise(3);
  }
  std::vector<BalancerGradient> gradients() {
    PassSettings settings;
    settings.watch = BalancerWatch::begin;
    backend->fill(model.parameters().gradientArena(), 0);
    model.forwardBackward(batch, settings, 1);
    return model.balancerGradients();
  }
  std::vector<double> languageGradients() {
    PassSettings settings;
    settings.languageOnly = true;
    backend->fill(model.parameters().gradientArena(), 0);
    model.forwardBackward(batch, settings, 1);
    return model.routerGradients();
  }
  /// Norm over the router weights of a layer of the central difference of what `value` reads after a forward.
  template <class Value>
  double slopeNorm(std::size_t layer, Value value) {
    const TensorView weight = model.parameters().value(layerPrefix(layer) + "router.weight");
    constexpr double kStep = 1e-4;
    double squares = 0;
    for (double& w : weight.span<double>()) {
      const double before = w;
      double ends[2];
      for (const int way : {0, 1}) {
        w = before + (way == 0 ? -kStep : kStep);
        const LossSums sums = model.forward(batch, {});
        ends[way] = value(sums);
      }
      w = before;
      const double slope = (ends[1] - ends[0]) / (2 * kStep);
      squares += slope * slope;
    }
    return std::sqrt(squares);
  }
  double own(std::size_t layer, std::size_t term) { return model.routing()[layer]->balance[term].value; }
};

ModelConfig withTerms() {
  ModelConfig model = test::tinyConfig().model;
  for (LayerConfig& layer : model.layers)
    layer.recipe.balance = {{.name = "aux", .coefficient = 0.05},
                            {.name = "z", .kind = Recipe::BalanceTerm::Kind::z, .coefficient = 0.1},
                            {.name = "off", .kind = Recipe::BalanceTerm::Kind::entropy, .coefficient = 0}};
  return model;
}

bool near(double a, double b) { return std::abs(a - b) <= 1e-6 * std::max(std::abs(a), std::abs(b)); }

}  // namespace

class BalancerGradientTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theNormsAreThoseOfFiniteDifferences() {
    Watched run(withTerms());
    const auto found = run.gradients();
    for (std::size_t layer : {0u, 1u}) {
      const double aux = run.slopeNorm(layer, [&](const LossSums&) { return 0.05 * run.own(layer, 0); });
      const double z = run.slopeNorm(layer, [&](const LossSums&) { return 0.1 * run.own(layer, 1); });
      QVERIFY2(near(found[layer].balance, aux), qPrintable(QString("%1 %2").arg(found[layer].balance).arg(aux)));
      QVERIFY(near(found[layer].terms[0], aux));
      QVERIFY(near(found[layer].terms[1], z));
      QCOMPARE(found[layer].terms[2], 0.0);
      QVERIFY(aux > 0);
    }
  }
  void theLanguageLossAloneIsMeasuredExactlyInEveryLayer() {
    Watched run(withTerms());
    const std::vector<double> found = run.languageGradients();
    ModelConfig without = withTerms();
    for (LayerConfig& layer : without.layers) layer.recipe.balance.clear();
    Watched bare(without);  // the same weights
    bare.backend->fill(bare.model.parameters().gradientArena(), 0);
    bare.model.forwardBackward(bare.batch, {}, 1);
    for (std::size_t layer : {0u, 1u}) {
      const double slope =
          run.slopeNorm(layer, [](const LossSums& sums) { return sums.loss / static_cast<double>(sums.targets); });
      QVERIFY2(near(found[layer], slope),
               qPrintable(QString("%1 %2").arg(found[layer], 0, 'g', 12).arg(slope, 0, 'g', 12)));
      QCOMPARE(found[layer], bare.model.routerGradients()[layer]);
    }
    // With the terms of layer 1 the router of layer 0 gets another gradient: they send it back through the stream.
    run.gradients();
    QVERIFY(!near(run.model.routerGradients()[0], found[0]));
  }
  void twoMicroBatchesAddUp() {
    Watched run(withTerms());
    const auto once = run.gradients();
    run.backend->fill(run.model.parameters().gradientArena(), 0);
    for (const BalancerWatch watch : {BalancerWatch::begin, BalancerWatch::goOn}) {
      PassSettings settings;
      settings.watch = watch;
      run.model.forwardBackward(run.batch, settings, 0.5);
    }
    const auto twice = run.model.balancerGradients();
    QVERIFY(near(once[0].balance, twice[0].balance));
  }
  void aSingleExpertCannotBeBalanced() {
    ModelConfig model = withTerms();
    for (LayerConfig& layer : model.layers) {
      layer.recipe.experts.count = 1;
      layer.recipe.select.k = 1;
      layer.recipe.weigh.kind = Recipe::Weigh::Kind::score;
    }
    Watched run(model);
    QCOMPARE(run.gradients()[0].balance, 0.0);
    QVERIFY(run.gradients()[0].terms[1] > 0);  // z still acts
  }
  void aRouterWithoutWeightsReceivesNothing() {
    ModelConfig model = withTerms();
    for (LayerConfig& layer : model.layers) {
      layer.recipe.logits.kind = Recipe::Logits::Kind::none;
      layer.recipe.select.kind = Recipe::Select::Kind::hash;
      layer.recipe.weigh.kind = Recipe::Weigh::Kind::one;
    }
    Watched run(model);
    const auto found = run.gradients();
    QCOMPARE(found[0].balance, 0.0);
    QCOMPARE(run.languageGradients()[1], 0.0);
  }
  void watchingChangesNoGradient() {
    Watched watched(withTerms()), plain(withTerms());
    watched.gradients();
    plain.backend->fill(plain.model.parameters().gradientArena(), 0);
    plain.model.forwardBackward(plain.batch, {}, 1);
    const auto a = watched.model.parameters().gradientArena().span<double>(),
               b = plain.model.parameters().gradientArena().span<double>();
    QVERIFY(std::equal(a.begin(), a.end(), b.begin(), b.end()));
  }
};
SWITCHYARD_TEST(BalancerGradientTest)
#include "balancer_gradient_test.moc"
