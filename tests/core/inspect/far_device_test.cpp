#include <filesystem>

#include "core/backend/backend.h"
#include "core/golden/verify_routing.h"
#include "core/inspect/left_out.h"
#include "core/inspect/text_routing.h"
#include "core/model/upcycle.h"
#include "core/session/stored_model.h"
#include "core/train/trainer.h"
#include "tests/support/far_backend.h"
#include "tests/support/register.h"
#include "tests/support/shrunken_presets.h"
#include "tests/support/tiny_model.h"

using namespace moe;
using test::FarBackend;

namespace {

const std::filesystem::path kFolder = SWITCHYARD_SOURCE_DIR "/tests/golden";

std::string difference(const TextRouting& a, const TextRouting& b) {
  if (a.problem != b.problem) return a.problem + " / " + b.problem;
  if (a.tokens.size() != b.tokens.size()) return "tokens";
  for (std::size_t t = 0; t < a.tokens.size(); ++t) {
    const TokenRouting &left = a.tokens[t], &right = b.tokens[t];
    if (left.id != right.id || (t > 0 && left.loss != right.loss)) return "token " + std::to_string(t);
    for (std::size_t i = 0; i < left.layers.size(); ++i) {
      const TokenLayerRouting &l = left.layers[i], &r = right.layers[i];
      if (l.experts != r.experts || l.weights != r.weights || l.probabilities != r.probabilities ||
          l.logits != r.logits || l.ranking != r.ranking || l.margin != r.margin || l.dropped != r.dropped)
        return "token " + std::to_string(t) + ", layer " + std::to_string(i);
    }
  }
  return {};
}

/// One model by the reference backend, and one far away.
struct Twice {
  ReferenceBackend reference;
  FarBackend far;
  Model near, away;
  std::unique_ptr<Tokenizer> tokenizer = makeByteTokenizer();
  explicit Twice(const ModelConfig& config)
      : near(reference, config, DType::f32, false), away(far, config, DType::f32, false) {
    for (Model* model : {&near, &away}) model->initialise(3);
  }
  /// The first parameter whose bits differ; empty where none do.
  std::string differentWeights() {
    for (std::size_t i = 0; i < near.parameters().all().size(); ++i) {
      const TensorView& here = near.parameters().all()[i].value;
      const HostCopy there = far.read(away.parameters().all()[i].value);
      if (std::memcmp(here.data, there.view().data, here.bytes()) != 0) return near.parameters().all()[i].name;
    }
    return {};
  }
};

ModelConfig presetModel(const std::string& preset) {
  ModelConfig config = test::shrunken(preset).model;
  config.vocabulary = 256;
  return config;
}

}  // namespace

/// Looking at a model on a device whose memory the host cannot see.
class FarDeviceTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyGoldenVectorPasses_data() {
    QTest::addColumn<QString>("file");
    for (const auto& entry : std::filesystem::recursive_directory_iterator(kFolder))
      if (entry.path().extension() == ".json")
        QTest::newRow(entry.path().stem().c_str()) << QString::fromStdString(entry.path().string());
  }
  void everyGoldenVectorPasses() {
    QFETCH(QString, file);
    FarBackend far(DType::f64);
    const VerifyResult result = verifyRouting(far, file.toStdString());
    QVERIFY2(result.passed,
             result.failures.empty() ? "" : (result.failures[0].field + ": " + result.failures[0].reason).c_str());
  }
  void aTextIsRoutedAndContinuedToTheSameBits_data() {
    QTest::addColumn<QString>("preset");
    for (const Preset& preset : presets()) QTest::newRow(preset.id.c_str()) << QString::fromStdString(preset.id);
  }
  void aTextIsRoutedAndContinuedToTheSameBits() {
    QFETCH(QString, preset);
    Twice twice(presetModel(preset.toStdString()));
    QCOMPARE(difference(routeText(twice.away, *twice.tokenizer, "a train"),
                        routeText(twice.near, *twice.tokenizer, "a train")),
             std::string());
    const GenerateSettings settings{.tokens = 4, .temperature = 1, .seed = 2};
    Generation away(twice.away, *twice.tokenizer, "the", settings), near(twice.near, *twice.tokenizer, "the", settings);
    while (near.advance()) away.advance();
    away.advance();
    QCOMPARE(difference(away.result(), near.result()), std::string());
  }
  void aModelStartsGrowsAndLosesExpertsToTheSameBits() {
    ModelConfig dense = test::tinyConfig().model;
    for (LayerConfig& layer : dense.layers) layer.hasExperts = false;
    for (const auto init : {Recipe::Experts::Init::denseCopy, Recipe::Experts::Init::denseSlice}) {
      ModelConfig grown = dense;
      for (LayerConfig& layer : grown.layers) {
        layer.hasExperts = true;
        layer.recipe.experts.init = init;
        layer.recipe.experts.initNoise = 0.1;
        layer.recipe.experts.hidden = {init == Recipe::Experts::Init::denseSlice ? 2 : 10};
        layer.recipe.combine.shared.emplace().hidden = 4;
      }
      Twice twice(grown);
      QCOMPARE(twice.differentWeights(), std::string());
      Model source(twice.reference, dense, DType::f32, false);
      source.initialise(4);
      for (Model* model : {&twice.near, &twice.away})
        upcycle(
            *model, dense, [&](std::string_view name) { return source.parameters().value(name); }, 7);
      QCOMPARE(twice.differentWeights(), std::string());
      const std::vector<LeftOut> left{leftOutFromText("0:1"), leftOutFromText("all:shared")};
      for (Model* model : {&twice.near, &twice.away}) leaveOut(*model, left);
      QCOMPARE(twice.differentWeights(), std::string());
      QCOMPARE(difference(routeText(twice.away, *twice.tokenizer, "yards"),
                          routeText(twice.near, *twice.tokenizer, "yards")),
               std::string());
    }
  }
  void aCheckpointIsLookedAt() {
    const RunConfig config = test::shrunken("deepseek_v3");
    FarBackend far;
    Trainer trainer(far, config, test::tinyCorpus());
    for (int i = 0; i < 2; ++i) trainer.step();
    const Checkpoint checkpoint{.config = trainer.config(),
                                .state = trainer.state(),
                                .tokenizer = trainer.corpus().sharedTokenizer(),
                                .run = 1,
                                .watch = {}};
    const StoredModel stored = loadStoredModel(far, checkpoint);
    QCOMPARE(stored.model->selectionBias(1), trainer.model().selectionBias(1));
    QCOMPARE(difference(routeText(*stored.model, *stored.tokenizer, "yards"),
                        routeText(trainer.model(), *stored.tokenizer, "yards")),
             std::string());
  }
};
SWITCHYARD_TEST(FarDeviceTest)
#include "far_device_test.moc"
