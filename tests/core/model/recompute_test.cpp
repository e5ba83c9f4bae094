#include <functional>

#include "core/backend/backend.h"
#include "core/data/text_files.h"
#include "core/train/run_config.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;

namespace {

/// Every gradient of one pass over `batch`, after a pass of another size, so that memory is met as it was left.
std::vector<float> gradientsOf(const ModelConfig& config, bool recompute, const char* backendName, LossSums& sums) {
  const auto backend = makeBackend({.name = backendName, .threads = 2, .computeType = DType::f32});
  Model model(*backend, config, DType::f32, true);
  model.initialise(3);
  PassSettings settings;
  settings.step = 4;
  settings.totalSteps = 20;
  settings.seed = 9;
  settings.recompute = recompute;
  model.forward(test::tinyBatch(3, 4, config.vocabulary), settings);
  for (int pass = 0; pass < 2; ++pass) {
    backend->fill(model.parameters().gradientArena(), 0);
    sums = model.forwardBackward(test::tinyBatch(2, 5, config.vocabulary), settings, 0.5);
  }
  const auto all = model.parameters().gradientArena().span<float>();
  return {all.begin(), all.end()};
}

}  // namespace

class RecomputeTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void givesTheSameBitsAsKeeping_data() {
    QTest::addColumn<std::function<void(Recipe&)>>("edit");
    const auto row = [](const char* name, const std::function<void(Recipe&)>& edit) { QTest::newRow(name) << edit; };
    row("top k with a balance term", [](Recipe&) {});
    row("every draw", [](Recipe& recipe) {
      recipe.perturb.inputJitter = 0.1;
      recipe.perturb.noise = Recipe::Perturb::Noise::learned;
      recipe.perturb.wholeExpertDropout = 0.2;
      recipe.combine.expertDropout = 0.3;
    });
    row("capacity and a z term", [](Recipe& recipe) {
      recipe.capacity.factor = 0.8;
      recipe.balance.push_back({.name = "z", .kind = Recipe::BalanceTerm::Kind::z, .coefficient = 0.1});
    });
    row("a gated shared expert and a dense residual", [](Recipe& recipe) {
      recipe.combine.shared.emplace();
      recipe.combine.shared->count = 2;
      recipe.combine.shared->hidden = 5;
      recipe.combine.shared->tokenGate = true;
      recipe.combine.denseResidual.emplace();
      recipe.combine.denseResidual->hidden = 7;
    });
    row("experts that read the state before attention",
        [](Recipe& recipe) { recipe.block.moeReads = Recipe::Block::MoeReads::preAttention; });
  }
  void givesTheSameBitsAsKeeping() {
    QFETCH(std::function<void(Recipe&)>, edit);
    ModelConfig config = test::tinyConfig().model;
    config.vocabulary = 11;
    config.initDeviation = 0.4;
    config.layers.push_back(config.layers.front());
    config.layers[1].hasExperts = false;
    for (LayerConfig& layer : config.layers) edit(layer.recipe);
    for (const char* backend : {"reference", "onednn"}) {
      LossSums kept, again;
      const std::vector<float> expected = gradientsOf(config, false, backend, kept);
      QVERIFY(std::ranges::any_of(expected, [](float value) { return value != 0; }));
      QVERIFY2(gradientsOf(config, true, backend, again) == expected, backend);
      QCOMPARE(again.loss, kept.loss);
      QCOMPARE(again.auxLoss, kept.auxLoss);
      QCOMPARE(again.zLoss, kept.zLoss);
    }
  }
  void aDeepModelIsPredictedToTakeHalfTheMemory() {
    RunConfig config = runConfigOfPreset(firstPreset().id);
    setByPath(config, "model.layers", "24");
    setByPath(config, "model.context", "256");
    config.train.batch = 32;
    const auto kept = static_cast<double>(predictedMemory(config, textSize(config.data)));
    setByPath(config, "train.recompute", "true");
    const double share = static_cast<double>(predictedMemory(config, textSize(config.data))) / kept;
    QVERIFY2(share > 0.2 && share < 0.55, std::to_string(share).c_str());
  }
  void theStackOfADeepModelIsLowerWhereLayersAreNotKept() {
    ModelConfig config = test::tinyConfig().model;
    config.layers.resize(12, config.layers.front());
    const auto backend = makeBackend({.name = "onednn", .threads = 1, .computeType = DType::f32});
    const Batch batch = test::tinyBatch(2, 5, config.vocabulary);
    std::int64_t bytes[2] = {};
    for (const bool recompute : {false, true}) {
      Model model(*backend, config, DType::f32, true);
      model.initialise(1);
      PassSettings settings;
      settings.recompute = recompute;
      model.forwardBackward(batch, settings, 1);
      const std::int64_t first = bytes[recompute] = model.activationBytes();
      model.forwardBackward(batch, settings, 1);
      QCOMPARE(model.activationBytes(), first);
    }
    QVERIFY2(bytes[1] * 2 < bytes[0], std::to_string(bytes[0]).append(" ").append(std::to_string(bytes[1])).c_str());
  }
};
SWITCHYARD_TEST(RecomputeTest)
#include "recompute_test.moc"
