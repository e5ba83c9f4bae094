#include <cmath>

#include "core/backend/backend.h"
#include "core/model/segments.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;

namespace {

/// The peer's sizes: width, layers, heads, expert hidden, context, vocabulary, experts, experts a token.
ModelConfig gelu(int d, int layers, int heads, int hidden, int context, int vocabulary, int experts, int k) {
  ModelConfig config;
  config.width = d;
  config.context = context;
  config.vocabulary = vocabulary;
  LayerConfig layer;
  layer.attention = {.heads = heads, .kvHeads = heads, .headWidth = d / heads};
  layer.dense = {.kind = ExpertKind::mlp, .activation = Activation::gelu};
  layer.recipe.experts.count = experts;
  layer.recipe.experts.kind = ExpertKind::mlp;
  layer.recipe.experts.activation = Activation::gelu;
  layer.recipe.experts.hidden = {hidden};
  layer.recipe.select.k = k;
  config.layers.assign(static_cast<std::size_t>(layers), layer);
  return config;
}

double published(double d, double layers, double hidden, double context, double vocabulary, double experts, double k) {
  const double layer = 2 * 4 * d * d + 2 * 2 * (context / 2) * d + k * 2 * 2 * d * hidden + 2 * d * experts;
  return 3 * (layers * layer + 2 * d * vocabulary);
}

}  // namespace

class ModelSizeTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void flopsFollowTheFormulaForPlainExperts() {
    QCOMPARE(sizeOf(gelu(128, 4, 4, 512, 128, 256, 8, 2), 128).flopsPerToken, published(128, 4, 512, 128, 256, 8, 2));
    QCOMPARE(sizeOf(gelu(256, 6, 8, 1024, 256, 2048, 8, 2), 256).flopsPerToken,
             published(256, 6, 1024, 256, 2048, 8, 2));
    QCOMPARE(sizeOf(gelu(256, 4, 8, 256, 256, 2048, 64, 2), 256).flopsPerToken,
             published(256, 4, 256, 256, 2048, 64, 2));
  }
  void theRoutedSizeCountsTheExpertsThatWereChosen() {
    ModelConfig config = gelu(8, 2, 2, 6, 16, 64, 4, 1);
    for (LayerConfig& layer : config.layers) {
      layer.recipe.experts.hidden = {3, 6, 4, 7};
      layer.recipe.experts.bias = true;
    }
    // One expert of F units: up, down and their biases.
    const auto expert = [](double F) { return 8 * F + F + 8 * F + 8; };
    const auto matrices = [](double F) { return 16 * F; };
    const ModelSize whole = sizeOf(config, config.context);
    // Layer 0: every token to expert 1. Layer 1: half of them to expert 0, a quarter to each of 2 and 3.
    const ModelSize routed = sizeOf(config, {{0, 1, 0, 0}, {0.5, 0, 0.25, 0.25}});
    const double all = expert(3) + expert(6) + expert(4) + expert(7);
    const double passed = expert(6) + 0.5 * expert(3) + 0.25 * expert(4) + 0.25 * expert(7);
    QCOMPARE(routed.totalParameters, whole.totalParameters);
    QCOMPARE(routed.activeParameters, std::llround(static_cast<double>(whole.totalParameters) - 2 * all + passed));
    const double work = 6 * (matrices(6) + 0.5 * matrices(3) + 0.25 * matrices(4) + 0.25 * matrices(7));
    const ModelSize none = sizeOf(config, {{0, 0, 0, 0}, {0, 0, 0, 0}});
    QVERIFY(std::abs(routed.flopsPerToken - none.flopsPerToken - work) < 1e-6);
    // Chosen evenly, experts of one size give what is said beforehand.
    for (LayerConfig& layer : config.layers) layer.recipe.experts.hidden = {6};
    const ModelSize even = sizeOf(config, {{0.25, 0.25, 0.25, 0.25}, {0.25, 0.25, 0.25, 0.25}});
    QCOMPARE(even.activeParameters, sizeOf(config, config.context).activeParameters);
    QCOMPARE(even.flopsPerToken, sizeOf(config, config.context).flopsPerToken);
  }
  void theSizeIsThatOfTheRealSegments() {
    const auto backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f32});
    for (const Preset& preset : presets()) {
      const ModelConfig config = runConfigOfPreset(preset.id).model;
      const Model model(*backend, config, DType::f32, false);
      QCOMPARE(sizeOf(config, config.context).totalParameters, model.parameters().elements());
    }
  }
  void aTokenPassesAllButTheExpertsNotChosen() {
    const ModelConfig config = gelu(16, 2, 2, 10, 8, 32, 8, 2);
    const ModelSize size = sizeOf(config, config.context);
    QCOMPARE(size.totalParameters - size.activeParameters, std::int64_t(2 * 6 * (2 * 16 * 10)));
  }
  void expertsThatChooseShareTheirSlotsAmongTheTokensOfAPass() {
    ModelConfig config = gelu(64, 4, 4, 512, 48, 256, 8, 1);
    for (std::size_t layer : {0u, 2u}) config.layers[layer].hasExperts = false;
    for (LayerConfig& layer : config.layers) {
      layer.recipe.select.kind = Recipe::Select::Kind::expertChoice;
      layer.recipe.capacity.slots = 144;
    }
    // 144 slots of 8 experts over 12 * 48 tokens: 2 experts a token, so 6 of 8 are not passed in either layer.
    const ModelSize size = sizeOf(config, 12 * 48);
    QCOMPARE(size.totalParameters - size.activeParameters, std::int64_t{2 * 6 * 2 * 64 * 512});
    QVERIFY(size.flopsPerToken < sizeOf(config, 48).flopsPerToken);
    const ModelConfig twin = denseTwin(config, 12 * 48);
    QCOMPARE(twin.layers[1].dense.hidden, 2 * 512);
  }
  void theDenseTwinHasEqualActiveParameters() {
    for (const Preset& preset : presets()) {
      const ModelConfig config = runConfigOfPreset(preset.id).model, twin = denseTwin(config, config.context);
      for (const LayerConfig& layer : twin.layers) QVERIFY(!layer.hasExperts);
      QVERIFY(problems(twin).empty());
      // A dense network has no router to choose with: its weights are not matched.
      double mine = static_cast<double>(sizeOf(config, config.context).activeParameters);
      for (const Segment& segment : modelSegments(config))
        if (segment.name.find(".router.") != std::string::npos) mine -= static_cast<double>(segment.shape.elements());
      const double its = static_cast<double>(sizeOf(twin, twin.context).totalParameters);
      QVERIFY2(std::abs(its / mine - 1) < 0.01, (preset.id + " " + std::to_string(its / mine)).c_str());
    }
  }
};
SWITCHYARD_TEST(ModelSizeTest)
#include "size_test.moc"
