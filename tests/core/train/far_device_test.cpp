#include <cmath>
#include <cstring>
#include <limits>

#include "core/formats/checkpoint.h"
#include "core/train/trainer.h"
#include "tests/support/far_backend.h"
#include "tests/support/register.h"
#include "tests/support/shrunken_presets.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

using namespace moe;
using test::FarBackend;

namespace {

using Named = std::vector<TrainingState::Named>;

std::string difference(const Named& a, const Named& b) {
  if (a.size() != b.size()) return "another number of tensors";
  for (std::size_t i = 0; i < a.size(); ++i) {
    const TensorView &left = a[i].tensor, &right = b[i].tensor;
    if (a[i].name != b[i].name || left.shape != right.shape || std::memcmp(left.data, right.data, left.bytes()) != 0)
      return a[i].name;
  }
  return {};
}

/// The first tensor whose bits differ; empty where none do.
std::string difference(const TrainingState& a, const TrainingState& b) {
  if (a.step != b.step) return "step";
  for (const auto list : {&TrainingState::parameters, &TrainingState::optimizerM, &TrainingState::optimizerV,
                          &TrainingState::selectionBias})
    if (const std::string found = difference(a.*list, b.*list); !found.empty()) return found;
  return {};
}

bool same(float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); }

/// The first number of a step that differs; empty where none do.
std::string difference(const StepPoint& a, const StepPoint& b) {
  if (a.step != b.step || a.loss != b.loss || a.gradientNorm != b.gradientNorm || a.learningRate != b.learningRate)
    return "loss, norm or rate";
  if (a.auxLoss != b.auxLoss || a.zLoss != b.zLoss || a.balance != b.balance) return "balance";
  if (a.layers.size() != b.layers.size()) return "layers";
  for (std::size_t i = 0; i < a.layers.size(); ++i) {
    const LayerPoint &left = a.layers[i], &right = b.layers[i];
    if (left.load != right.load || left.balance != right.balance || left.termGradient != right.termGradient)
      return "load or balance of a layer";
    for (const auto member :
         {&LayerPoint::maxVio, &LayerPoint::dropRate, &LayerPoint::tokenDropRate, &LayerPoint::routerEntropy,
          &LayerPoint::meanProbEntropy, &LayerPoint::importanceCv2, &LayerPoint::margin, &LayerPoint::biasJaccard,
          &LayerPoint::balanceGradient, &LayerPoint::languageGradient})
      if (!same(left.*member, right.*member)) return "health of a layer";
  }
  return {};
}

/// The same run twice: by the reference backend one step after the other, and far away with two steps on their way.
struct Twice {
  ReferenceBackend reference;
  FarBackend far;
  Trainer near, away;
  explicit Twice(const RunConfig& config)
      : near(reference, config, test::tinyCorpus()), away(far, config, test::tinyCorpus()) {}

  std::string differenceAfter(int steps) {
    for (int i = 0; i < steps; ++i) {
      if (away.inFlight() == 0) away.enqueue();
      if (i + 1 < steps) away.enqueue();
      if (const std::string found = difference(away.collect(), near.step()); !found.empty())
        return "step " + std::to_string(i + 1) + ": " + found;
    }
    return difference(away.state(), near.state());
  }
};

RunConfig eventful() {
  RunConfig config = test::tinyConfig();
  for (LayerConfig& layer : config.model.layers) {
    layer.recipe.perturb.inputJitter = 0.05;
    layer.recipe.perturb.noise = Recipe::Perturb::Noise::gaussian;
    layer.recipe.combine.expertDropout = 0.2;
    layer.recipe.adjust.selectionBias.emplace();
    layer.recipe.capacity.factor = 1.2;
  }
  return config;
}

}  // namespace

/// Training on a device whose memory the host cannot see and whose results come late.
class FarDeviceTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyPresetTrainsToTheSameBits_data() {
    QTest::addColumn<QString>("preset");
    for (const Preset& preset : presets()) QTest::newRow(preset.id.c_str()) << QString::fromStdString(preset.id);
  }
  void everyPresetTrainsToTheSameBits() {
    QFETCH(QString, preset);
    Twice run(test::shrunken(preset.toStdString()));
    const std::string found = run.differenceAfter(3);
    QVERIFY2(found.empty(), found.c_str());
    QCOMPARE(run.away.evaluate(64), run.near.evaluate(64));
  }
  void drawsBiasAndLooksAtTheBalancerAreTheSame() {
    Twice run(eventful());
    const std::string found = run.differenceAfter(13);
    QVERIFY2(found.empty(), found.c_str());
    QCOMPARE(run.away.evaluate(), run.near.evaluate());
    const RunStudy far = run.away.study(), near = run.near.study();
    QCOMPARE(far.layers[1].selections, near.layers[1].selections);
    QCOMPARE(far.layers[0].inputSpecialisation, near.layers[0].inputSpecialisation);
    QCOMPARE(far.maxVioGlobal(), near.maxVioGlobal());
    QCOMPARE(run.away.lastRouting()[0]->asked, run.near.lastRouting()[0]->asked);
    QCOMPARE(run.away.routedSize()->activeParameters, run.near.routedSize()->activeParameters);
  }
  void microBatchesThatCountTogetherAndActivationsComputedAgainAreTheSame() {
    RunConfig config = eventful();
    config.train.microBatches = 3;
    config.train.recompute = true;
    for (LayerConfig& layer : config.model.layers)
      layer.recipe.balance[0].scope = Recipe::BalanceTerm::Scope::globalBatch;
    Twice run(config);
    const std::string found = run.differenceAfter(4);
    QVERIFY2(found.empty(), found.c_str());
  }
  void knobsTurnBetweenSteps() {
    RunConfig config = test::tinyConfig();
    for (LayerConfig& layer : config.model.layers) layer.recipe.balance.clear();
    Twice run(config);
    QVERIFY(run.differenceAfter(2).empty());
    const auto turn = [&](const char* path, const char* value) {
      run.away.set(path, value);
      run.near.set(path, value);
    };
    turn("balance.0.coefficient", "0.01");
    turn("adjust.selection_bias.rate", "0.1");
    turn("select.k", "3");
    std::string found = run.differenceAfter(3);
    QVERIFY2(found.empty(), found.c_str());
    QVERIFY(run.away.model().selectionBias(0)[0] != 0);
    turn("train.freeze", "router");
    turn("train.recompute", "true");
    found = run.differenceAfter(3);
    QVERIFY2(found.empty(), found.c_str());
  }
  void aCheckpointCarriesOn() {
    const test::TemporaryFolder folder;
    Twice run(eventful());
    QVERIFY(run.differenceAfter(3).empty());
    Checkpoint checkpoint{.config = run.away.config(),
                          .state = run.away.state(),
                          .tokenizer = run.away.corpus().sharedTokenizer(),
                          .run = 1,
                          .watch = {}};
    saveCheckpoint(folder.path() / "step-3", checkpoint);
    FarBackend far;
    Trainer resumed(far, eventful(), test::tinyCorpus());
    resumed.step();  // whatever was there before must not matter
    resumed.restore(loadCheckpoint(folder.path() / "step-3").state);
    for (int i = 0; i < 3; ++i) QCOMPARE(difference(resumed.step(), run.near.step()), std::string());
    QCOMPARE(difference(resumed.state(), run.near.state()), std::string());
  }
  void aPlainStepAsksForTheSameEveryOtherTimeAndWaitsForNothing() {
    RunConfig config = eventful();
    config.train.microBatches = 2;
    FarBackend far;
    Trainer trainer(far, config, test::tinyCorpus());
    std::vector<std::vector<std::string>> units(2);
    for (std::size_t step = 1; step <= 4; ++step) {  // the first one looks at the balance terms and finds what it takes
      trainer.step();
      units[step % 2] = far.lastUnit();
    }
    QVERIFY(units[0].size() > 50);
    const std::int64_t allocations = far.allocations();
    for (std::size_t step = 5; step <= 10; ++step) {
      const int waits = far.waits();
      trainer.enqueue();
      QCOMPARE(far.waits(), waits);
      const std::vector<std::string>&found = far.lastUnit(), &expected = units[step % 2];
      QCOMPARE(found.size(), expected.size());
      const auto other = std::ranges::mismatch(found, expected);
      const std::string problem = other.in1 == found.end() ? "" : *other.in1 + ", not " + *other.in2;
      QVERIFY2(problem.empty(), problem.c_str());
      trainer.collect();
      QCOMPARE(far.waits(), waits + 1);
    }
    QCOMPARE(far.allocations(), allocations);
  }
  void aStepThatIsNotFiniteMovesNothingAndNeitherDoesTheOneBehindIt() {
    const RunConfig config = eventful();
    const std::shared_ptr<const Corpus> corpus = test::tinyCorpus();
    // Two steps of which the first meets a letter that the second does not.
    constexpr std::int32_t kLetter = 'v';
    Batch batch;
    const auto meets = [&](std::int64_t step) {
      corpus->drawTraining(batch, config.seed, step, 0, config.train.batch, config.model.context);
      return std::ranges::count(batch.ids, kLetter) > 0;
    };
    std::int64_t from = 1;
    while (!meets(from) || meets(from + 1)) ++from;
    QVERIFY(from + 1 < config.train.steps);
    FarBackend far;
    Trainer trainer(far, config, corpus);
    trainer.step();
    TrainingState state = trainer.state();
    state.step = from;
    for (TrainingState::Named& named : state.parameters)
      if (named.name == "embedding.tokens")
        named.tensor.as<float>()[kLetter * config.model.width] = std::numeric_limits<float>::quiet_NaN();
    trainer.restore(state);
    trainer.enqueue();
    trainer.enqueue();
    const StepPoint point = trainer.collect();
    QVERIFY(!std::isfinite(point.loss));
    QCOMPARE(point.step, from + 1);
    QCOMPARE(trainer.inFlight(), 0);
    QCOMPARE(trainer.stepsDone(), from);
    QCOMPARE(difference(trainer.state(), state), std::string());
    // From there on it trains as if nothing had been.
    TrainingState healthy = trainer.state();
    for (TrainingState::Named& named : healthy.parameters)
      if (named.name == "embedding.tokens") named.tensor.as<float>()[kLetter * config.model.width] = 0.5f;
    trainer.restore(healthy);
    QVERIFY(std::isfinite(trainer.step().loss));
    QVERIFY(!difference(trainer.state(), healthy).empty());
  }
};
SWITCHYARD_TEST(FarDeviceTest)
#include "far_device_test.moc"
