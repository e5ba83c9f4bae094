#include "core/model/upcycle.h"

#include <algorithm>
#include <cmath>

#include "core/backend/backend.h"
#include "core/base/error.h"
#include "core/train/trainer.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;
using Init = Recipe::Experts::Init;

namespace {

ModelConfig denseConfig() {
  ModelConfig config = test::tinyConfig().model;
  config.vocabulary = 11;
  config.initDeviation = 0.4;  // far from the flat start: every part of the function counts
  for (LayerConfig& layer : config.layers) layer.hasExperts = false;
  return config;
}

/// The dense model with experts in its second layer.
ModelConfig grownConfig(Init init, double noise = 0) {
  ModelConfig config = denseConfig();
  for (LayerConfig& layer : config.layers) {
    Recipe::Experts& experts = layer.recipe.experts;
    experts.init = init;
    experts.initNoise = noise;
    experts.hidden = {init == Init::denseSlice ? 2 : 10};
    layer.recipe.balance.clear();
  }
  config.layers[1].hasExperts = true;
  return config;
}

/// A dense model and one grown out of it, in f64.
struct Pair {
  std::unique_ptr<Backend> backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f64});
  Model dense, grown;
  explicit Pair(const ModelConfig& config)
      : dense(*backend, denseConfig(), DType::f64, false), grown(*backend, config, DType::f64, false) {
    dense.initialise(3);
    for (const Parameter& parameter : dense.parameters().all())  // norms off their flat start
      if (parameter.value.shape.rank() == 1)
        for (double& value : parameter.value.span<double>()) value += 0.1 * std::sin(1.0 + 100 * value);
    grown.initialise(8);
    upcycle(
        grown, dense.config(), [&](std::string_view name) { return dense.parameters().value(name); }, 8);
  }
  std::span<const double> of(Model& model, const std::string& name) {
    return model.parameters().value(name).span<double>();
  }
};

double deviation(std::span<const double> values) {
  double squares = 0;
  for (double value : values) squares += value * value;
  return std::sqrt(squares / static_cast<double>(values.size()));
}

std::vector<std::string> pathsOf(const std::function<void(ModelConfig& grown, ModelConfig& dense)>& edit) {
  ModelConfig grown = grownConfig(Init::denseCopy), dense = denseConfig();
  edit(grown, dense);
  std::vector<std::string> paths;
  for (const Problem& problem : upcyclingProblems(grown, dense)) paths.push_back(problem.path);
  return paths;
}

}  // namespace

class UpcycleTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void copiesWithRenormalisedWeightsComputeWhatTheDenseModelComputes() {
    Pair pair(grownConfig(Init::denseCopy));
    const Batch batch = test::tinyBatch(2, 5, 11);
    const LossSums before = pair.dense.forward(batch, {}), after = pair.grown.forward(batch, {});
    QCOMPARE(after.targets, before.targets);
    QVERIFY(std::abs(after.loss - before.loss) <= 1e-12 * before.loss);
    QVERIFY(before.loss / static_cast<double>(before.targets) > 2.4);  // and not the flat start's log 11
  }
  void withoutRenormalisationTheFunctionIsAnother() {
    ModelConfig config = grownConfig(Init::denseCopy);
    for (LayerConfig& layer : config.layers) layer.recipe.weigh.kind = Recipe::Weigh::Kind::score;
    Pair pair(config);
    const Batch batch = test::tinyBatch(2, 5, 11);
    QVERIFY(std::abs(pair.grown.forward(batch, {}).loss - pair.dense.forward(batch, {}).loss) > 1e-3);
  }
  void everyOtherTensorIsCopiedAndTheRouterIsDrawnAnew() {
    Pair pair(grownConfig(Init::denseCopy));
    int copied = 0;
    for (const Parameter& parameter : pair.grown.parameters().all()) {
      if (!pair.dense.parameters().find(parameter.name)) continue;
      QVERIFY(std::ranges::equal(parameter.value.span<double>(), pair.of(pair.dense, parameter.name)));
      ++copied;
    }
    // Embedding, head, final norm; two norms and attention of two layers; the first layer's network.
    QCOMPARE(copied, 3 + 2 * 4 + 3);
    const double router = deviation(pair.of(pair.grown, "layers.1.router.weight"));
    QVERIFY2(router > 0.012 && router < 0.028, std::to_string(router).c_str());  // 32 draws of N(0, 0.02)
  }
  void aSliceIsItsPartOfTheHiddenUnits() {
    Pair pair(grownConfig(Init::denseSlice));
    const auto up = pair.of(pair.grown, "layers.1.experts.up"), down = pair.of(pair.grown, "layers.1.experts.down");
    const auto denseUp = pair.of(pair.dense, "layers.1.feed_forward.up");
    const auto denseDown = pair.of(pair.dense, "layers.1.feed_forward.down");
    for (std::size_t e = 0; e < 4; ++e)
      for (std::size_t unit = 0; unit < 2; ++unit)
        for (std::size_t i = 0; i < 8; ++i) {
          QCOMPARE(up[(e * 2 + unit) * 8 + i], denseUp[(e * 2 + unit) * 8 + i]);
          QCOMPARE(down[(e * 8 + i) * 2 + unit], denseDown[i * 10 + e * 2 + unit]);
        }
  }
  void noiseIsAShareOfTheWeightsDeviation() {
    Pair pair(grownConfig(Init::denseCopy, 0.5));
    const auto up = pair.of(pair.grown, "layers.1.experts.up");
    const auto dense = pair.of(pair.dense, "layers.1.feed_forward.up");
    std::vector<double> added;
    for (std::size_t i = 0; i < up.size(); ++i) added.push_back(up[i] - dense[i % dense.size()]);
    const double share = deviation(added) / deviation(dense);
    QVERIFY2(share > 0.42 && share < 0.58, std::to_string(share).c_str());  // 320 draws
  }
  void whatDoesNotFitIsRefusedByName() {
    using Paths = std::vector<std::string>;
    QCOMPARE(pathsOf([](ModelConfig&, ModelConfig&) {}), Paths{});
    QCOMPARE(pathsOf([](ModelConfig& grown, ModelConfig&) { grown.width = 16; }), Paths{"model.width"});
    QCOMPARE(pathsOf([](ModelConfig& grown, ModelConfig&) { grown.vocabulary = 12; }), Paths{"data.tokenizer"});
    QCOMPARE(
        pathsOf([](ModelConfig& grown, ModelConfig&) { grown.layers.pop_back(), grown.layers[0].hasExperts = true; }),
        Paths{"model.layers"});
    QCOMPARE(pathsOf([](ModelConfig& grown, ModelConfig&) { grown.layers[1].hasExperts = false; }),
             Paths{"model.dense_layers"});
    QCOMPARE(pathsOf([](ModelConfig&, ModelConfig& dense) { dense.layers[1].hasExperts = true; }),
             Paths{"start_from.checkpoint"});
    QCOMPARE(pathsOf([](ModelConfig& grown, ModelConfig&) { grown.layers[1].attention.kvHeads = 1; }),
             Paths{"model.heads"});
    QCOMPARE(pathsOf([](ModelConfig& grown, ModelConfig&) { grown.layers[0].dense.hidden = 9; }),
             Paths{"model.dense.hidden"});
    const auto experts = [](const std::function<void(Recipe::Experts&)>& edit) {
      return pathsOf([&](ModelConfig& grown, ModelConfig&) { edit(grown.layers[1].recipe.experts); });
    };
    QCOMPARE(experts([](Recipe::Experts& e) { e.init = Init::random; }), Paths{"experts.init.kind"});
    QCOMPARE(experts([](Recipe::Experts& e) { e.kind = ExpertKind::mlp; }), Paths{"experts.kind"});
    QCOMPARE(experts([](Recipe::Experts& e) { e.activation = Activation::gelu; }), Paths{"experts.activation"});
    QCOMPARE(experts([](Recipe::Experts& e) { e.bias = true; }), Paths{"experts.bias"});
    QCOMPARE(experts([](Recipe::Experts& e) { e.hidden = {9}; }), Paths{"experts.hidden"});
    QCOMPARE(experts([](Recipe::Experts& e) { e.init = Init::denseSlice, e.hidden = {3}; }), Paths{"experts.hidden"});
    QCOMPARE(experts([](Recipe::Experts& e) { e.init = Init::denseSlice, e.hidden = {2}; }), Paths{});
  }
  void aMissingTensorIsNamed() {
    Pair pair(grownConfig(Init::denseCopy));
    try {
      upcycle(
          pair.grown, pair.dense.config(), [](std::string_view) { return TensorView{}; }, 1);
      QFAIL("it was taken");
    } catch (const Error& error) { QVERIFY(std::string(error.what()).find("embedding.tokens") != std::string::npos); }
  }
  void aRunIsFittedToTheDenseOne() {
    RunConfig dense = test::tinyConfig(), wanted = test::tinyConfig();
    for (LayerConfig& layer : dense.model.layers) layer.hasExperts = false;
    dense.model.width = 12;
    dense.model.layers[0].dense = dense.model.layers[1].dense = {
        .kind = ExpertKind::mlp, .activation = Activation::relu, .hidden = 21, .bias = true};
    wanted.model.layers[0].hasExperts = false;
    const RunConfig copies = grownFromDense(wanted, dense, "there");
    QCOMPARE(copies.startFrom.checkpoint, std::string("there"));
    QCOMPARE(copies.model.width, 12);
    QVERIFY(!copies.model.layers[0].hasExperts && copies.model.layers[1].hasExperts);
    QCOMPARE(copies.model.layers[1].recipe.select.k, 2);
    QCOMPARE(copies.model.layers[1].recipe.experts.hidden, std::vector<int>{21});
    QVERIFY(upcyclingProblems(copies.model, dense.model).empty());
    QVERIFY(problems(copies.model).empty());
    for (LayerConfig& layer : wanted.model.layers) layer.recipe.experts.init = Init::denseSlice;
    const RunConfig slices = grownFromDense(wanted, dense, "there");
    QCOMPARE(slices.model.layers[1].recipe.experts.hidden, std::vector<int>{5});
    QVERIFY(upcyclingProblems(slices.model, dense.model).empty());
    QVERIFY(problems(slices.model).empty());
  }
  void slicesNeedADenseNetworkWideEnough() {
    ModelConfig config = grownConfig(Init::denseSlice);
    QVERIFY(problems(config).empty());
    config.layers[1].recipe.experts.hidden = {3};
    const auto found = problems(config);
    QCOMPARE(found.size(), std::size_t{1});
    QCOMPARE(found.front().path, std::string("experts.init.kind"));
  }
};
SWITCHYARD_TEST(UpcycleTest)
#include "upcycle_test.moc"
