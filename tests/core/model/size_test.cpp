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
    QCOMPARE(sizeOf(gelu(128, 4, 4, 512, 128, 256, 8, 2)).flopsPerToken, published(128, 4, 512, 128, 256, 8, 2));
    QCOMPARE(sizeOf(gelu(256, 6, 8, 1024, 256, 2048, 8, 2)).flopsPerToken, published(256, 6, 1024, 256, 2048, 8, 2));
    QCOMPARE(sizeOf(gelu(256, 4, 8, 256, 256, 2048, 64, 2)).flopsPerToken, published(256, 4, 256, 256, 2048, 64, 2));
  }
  void theSizeIsThatOfTheRealSegments() {
    const auto backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f32});
    for (const Preset& preset : presets()) {
      const ModelConfig config = runConfigOfPreset(preset.id).model;
      const Model model(*backend, config, DType::f32, false);
      QCOMPARE(sizeOf(config).totalParameters, model.parameters().elements());
    }
  }
  void aTokenPassesAllButTheExpertsNotChosen() {
    const ModelConfig config = gelu(16, 2, 2, 10, 8, 32, 8, 2);
    const ModelSize size = sizeOf(config);
    QCOMPARE(size.totalParameters - size.activeParameters, std::int64_t(2 * 6 * (2 * 16 * 10)));
  }
  void theDenseTwinHasEqualActiveParameters() {
    for (const Preset& preset : presets()) {
      const ModelConfig config = runConfigOfPreset(preset.id).model, twin = denseTwin(config);
      for (const LayerConfig& layer : twin.layers) QVERIFY(!layer.hasExperts);
      QVERIFY(problems(twin).empty());
      // A dense network has no router to choose with: its weights are not matched.
      double mine = static_cast<double>(sizeOf(config).activeParameters);
      for (const Segment& segment : modelSegments(config))
        if (segment.name.find(".router.") != std::string::npos) mine -= static_cast<double>(segment.shape.elements());
      const double its = static_cast<double>(sizeOf(twin).totalParameters);
      QVERIFY2(std::abs(its / mine - 1) < 0.01, (preset.id + " " + std::to_string(its / mine)).c_str());
    }
  }
};
SWITCHYARD_TEST(ModelSizeTest)
#include "size_test.moc"
