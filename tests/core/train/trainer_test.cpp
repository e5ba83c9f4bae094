#include "core/train/trainer.h"

#include <cmath>
#include <cstring>

#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_trainer.h"

using namespace moe;
using test::Run;

namespace {

bool sameBits(const TensorView& a, const TensorView& b) {
  return a.shape == b.shape && a.dtype == b.dtype && std::memcmp(a.data, b.data, a.bytes()) == 0;
}

bool sameState(const TrainingState& a, const TrainingState& b) {
  const auto same = [](const std::vector<TrainingState::Named>& left, const std::vector<TrainingState::Named>& right) {
    if (left.size() != right.size()) return false;
    for (std::size_t i = 0; i < left.size(); ++i)
      if (left[i].name != right[i].name || !sameBits(left[i].tensor, right[i].tensor)) return false;
    return true;
  };
  return a.step == b.step && same(a.parameters, b.parameters) && same(a.optimizerM, b.optimizerM) &&
         same(a.optimizerV, b.optimizerV) && same(a.selectionBias, b.selectionBias);
}

/// Every source of randomness and state switched on.
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

/// The other processes' gradients cancel this one's.
class Cancelling : public Collective {
 public:
  void sum(std::span<double> /*values*/) override { ++numbers; }
  void sum(const TensorView& values) override {
    ++tensors;
    std::memset(values.data, 0, values.bytes());
  }
  int numbers = 0, tensors = 0;
};

}  // namespace

class TrainerTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theLossFallsFromTheUniformOne() {
    RunConfig config = test::tinyConfig();
    config.train.steps = 60;
    config.train.learningRate = 0.02;
    Run run(config);
    const double first = run.trainer.step().loss;
    QVERIFY(std::abs(first - std::log(256.0)) < 0.1);
    double last = 0;
    while (!run.trainer.finished()) last = run.trainer.step().loss;
    QVERIFY2(last < 0.6 * first, std::to_string(last).c_str());
    QVERIFY(run.trainer.evaluate() < 0.7 * first);
  }
  void everySumOverAStepsBatchPassesTheCollective() {
    RunConfig config = test::tinyConfig();
    config.train.weightDecay = 0;
    const auto backend = makeBackend({.name = config.backend, .threads = 1});
    const auto others = std::make_shared<Cancelling>();
    Trainer trainer(*backend, config, test::tinyCorpus(), others);
    const TrainingState before = trainer.state();
    trainer.step();
    QVERIFY(others->numbers >= 1 && others->tensors >= 2);  // targets; losses and gradients
    const TrainingState after = trainer.state();
    for (std::size_t i = 0; i < before.parameters.size(); ++i)
      QVERIFY2(sameBits(before.parameters[i].tensor, after.parameters[i].tensor), before.parameters[i].name.c_str());
  }
  void measuringChangesNoBitAndLooksAtTheBalancerNowAndThen() {
    RunConfig config = eventful();
    config.train.steps = 2 * kLanguageEvery;
    Run measured(config), plain(config);
    plain.trainer.setMeasuring(false);
    for (std::int64_t step = 1; step <= kLanguageEvery + 1; ++step) {
      const StepPoint a = measured.trainer.step(), b = plain.trainer.step();
      QCOMPARE(a.loss, b.loss);
      QCOMPARE(a.layers[0].load, b.layers[0].load);
      const bool looked = step % kBalancerEvery == 1, alone = step % kLanguageEvery == 1;
      QCOMPARE(std::isfinite(a.layers[1].balanceGradient), looked);
      QCOMPARE(a.layers[1].termGradient.size(), std::size_t{looked ? 1u : 0u});
      QVERIFY(!looked || a.layers[1].balanceGradient > 0);
      QCOMPARE(std::isfinite(a.layers[0].languageGradient), alone);
      QVERIFY(!alone || (a.layers[0].languageGradient > 0 && a.layers[1].languageGradient > 0));
      QVERIFY(std::isnan(b.layers[1].balanceGradient));
      QCOMPARE(a.balance.size(), std::size_t{1});
      QVERIFY(std::abs(a.balance[0] - (a.layers[0].balance[0] + a.layers[1].balance[0]) / 2) < 1e-6);
    }
    QVERIFY(sameState(measured.trainer.state(), plain.trainer.state()));
  }
  void aStudyLooksAtTheSameTextEveryTimeAndLeavesTheRunAlone() {
    Run run(eventful()), other(eventful());
    for (int i = 0; i < 3; ++i) run.trainer.step(), other.trainer.step();
    const RunStudy now = run.trainer.study(), again = run.trainer.study();
    QCOMPARE(now.step, std::int64_t{3});
    QCOMPARE(now.layers[0].selections, again.layers[0].selections);
    QCOMPARE(now.layers[1].domains, again.layers[1].domains);
    QCOMPARE(now.domainTokens, std::vector<std::int64_t>{now.tokens});
    QCOMPARE(now.layers[1].selections.size(), static_cast<std::size_t>(2 * now.tokens));
    QVERIFY(!now.maxVioGlobal());  // not validated at this step
    run.trainer.evaluate();
    QVERIFY(run.trainer.study().maxVioGlobal());
    QVERIFY(now.layers[0].inputSpecialisation >= 0.25f && now.layers[0].inputSpecialisation <= 1);
    QVERIFY(sameState(run.trainer.state(), other.trainer.state()));
    run.trainer.step(), other.trainer.step();
    QVERIFY(sameState(run.trainer.state(), other.trainer.state()));
  }
  void aValidationWithoutCapacityToChooseCountsByGateWeight() {
    RunConfig config = test::tinyConfig();
    for (LayerConfig& layer : config.model.layers) {
      layer.recipe.select.kind = Recipe::Select::Kind::all;
      layer.recipe.weigh.kind = Recipe::Weigh::Kind::score;
      layer.recipe.balance.clear();
    }
    Run run(config);
    run.trainer.step();
    run.trainer.evaluate();
    const RunStudy study = run.trainer.study();
    // Every token asks every expert: by counts all would be alike, and every first choice expert 0's.
    for (const LayerStudy& layer : study.layers) {
      QVERIFY(layer.maxVioGlobal > 0 && layer.inputSpecialisation < 1);
      double sum = 0;
      for (const float share : layer.domains) sum += static_cast<double>(share);
      QVERIFY(std::abs(sum - 1) < 1e-5);
    }
    QCOMPARE(static_cast<float>(run.trainer.validationMaxVio()), static_cast<float>(*study.maxVioGlobal()));
  }
  void expertsOfDifferentSizesTrainAndTheirWorkIsCounted() {
    RunConfig config = test::tinyConfig();
    config.train.steps = 60;
    config.train.learningRate = 0.02;
    for (LayerConfig& layer : config.model.layers) {
      layer.recipe.experts.hidden = {2, 4, 8, 16};
      layer.recipe.select.k = 1;
      layer.recipe.weigh.kind = Recipe::Weigh::Kind::score;
      layer.recipe.capacity.factor = 1.5;
    }
    Run run(config);
    QVERIFY(!run.trainer.routedSize());
    const double first = run.trainer.step().loss;
    while (!run.trainer.finished()) run.trainer.step();
    QVERIFY(run.trainer.evaluate() < 0.8 * first);
    // The routing of the last step: weights of the experts that admitted its tokens, 3 matrices of width 8 a unit.
    run.trainer.set("train.steps", "61");
    run.trainer.step();
    const double all = 2 * 3 * 8.0 * (2 + 4 + 8 + 16);
    double passed = 0;
    for (const Routing* routing : run.trainer.lastRouting())
      for (std::size_t e = 0; e < 4; ++e)
        passed += 3 * 8.0 * config.model.layers[0].recipe.experts.hidden[e] *
                  (routing->dispatch.admittedEnd[e] - routing->dispatch.expertBegin[e]) /
                  static_cast<double>(routing->tokens);
    const ModelSize size = *run.trainer.routedSize();
    QCOMPARE(size.activeParameters, std::llround(static_cast<double>(size.totalParameters) - all + passed));
    QVERIFY(passed < all / 4 * 1.9 && passed > 0);  // one expert a token, of 30 units in all
  }
  void aMixtureHeadLearnsAndItsSharesAreItsLoad() {
    RunConfig config = test::tinyConfig();
    config.train.steps = 60;
    config.train.learningRate = 0.02;
    for (LayerConfig& layer : config.model.layers) {
      layer.hasExperts = false;
      layer.recipe.experts.kind = ExpertKind::linear;
      layer.recipe.select.kind = Recipe::Select::Kind::all;
      layer.recipe.weigh.kind = Recipe::Weigh::Kind::score;
      layer.recipe.balance.clear();
      layer.recipe.head = {.kind = Recipe::Head::Kind::mixture,
                           .losses = {{"likelihood", Recipe::Head::Form::likelihood, 1}}};
    }
    Run run(config);
    StepPoint point = run.trainer.step();
    const double first = point.loss;
    QVERIFY(std::abs(first - std::log(256.0)) < 0.1);
    while (!run.trainer.finished()) point = run.trainer.step();
    QVERIFY(run.trainer.evaluate() < 0.7 * first);
    QCOMPARE(point.layers.size(), std::size_t{1});
    const LayerPoint& head = point.layers[0];
    QCOMPARE(head.layer, kHeadLayer);
    const Routing& routing = *run.trainer.lastRouting()[0];
    run.trainer.set("train.steps", "61");
    point = run.trainer.step();
    for (std::size_t e = 0; e < 4; ++e) {
      double share = 0;
      for (std::int64_t t = 0; t < routing.tokens; ++t)
        share += static_cast<double>(routing.scores.as<float>()[static_cast<std::size_t>(t) * 4 + e]);
      QVERIFY(std::abs(static_cast<double>(point.layers[0].load[e]) - share / static_cast<double>(routing.tokens)) <
              1e-6);
    }
    // It goes on bit by bit from its state, head included.
    Run again(config);
    again.trainer.restore(run.trainer.state());
    QVERIFY(sameState(again.trainer.state(), run.trainer.state()));
  }
  void theSameSeedGivesTheSameNumbersAndAnotherDoesNot() {
    Run one(eventful()), two(eventful());
    RunConfig config = eventful();
    config.seed = 6;
    Run other(config);
    for (int i = 0; i < 4; ++i) {
      const StepPoint a = one.trainer.step(), b = two.trainer.step();
      QCOMPARE(a.loss, b.loss);
      QCOMPARE(a.gradientNorm, b.gradientNorm);
      QVERIFY(a.loss != other.trainer.step().loss);
    }
    QVERIFY(sameState(one.trainer.state(), two.trainer.state()));
  }
  void aRestoredRunContinuesBitForBit() {
    Run whole(eventful());
    for (int i = 0; i < 3; ++i) whole.trainer.step();
    const TrainingState middle = whole.trainer.state();
    for (int i = 0; i < 3; ++i) whole.trainer.step();
    Run resumed(eventful());
    resumed.trainer.step();  // whatever was there before must not matter
    resumed.trainer.restore(middle);
    QCOMPARE(resumed.trainer.stepsDone(), 3);
    for (int i = 0; i < 3; ++i) resumed.trainer.step();
    QVERIFY(sameState(whole.trainer.state(), resumed.trainer.state()));
  }
  void evaluatingOrGeneratingBetweenStepsChangesNothing() {
    Run quiet(eventful()), busy(eventful());
    for (int i = 0; i < 3; ++i) {
      quiet.trainer.step();
      busy.trainer.step();
      busy.trainer.evaluate(50);
      auto cache = busy.trainer.model().makeCache();
      busy.trainer.model().next(*cache, 65, 0);
    }
    QVERIFY(sameState(quiet.trainer.state(), busy.trainer.state()));
  }
  void aStateOfAnotherModelIsRefusedByName() {
    RunConfig config = test::tinyConfig();
    Run run(config);
    const TrainingState before = run.trainer.state();
    config.model.width = 12;
    config.model.layers[0].attention.headWidth = config.model.layers[1].attention.headWidth = 6;
    Run other(config);
    const std::string sentence = test::sentenceOf([&] { run.trainer.restore(other.trainer.state()); });
    QVERIFY2(sentence.starts_with("[checkpoint] embedding.tokens: expected shape [256, 8], checkpoint has [256, 12]"),
             sentence.c_str());
    TrainingState cut = run.trainer.state();
    cut.optimizerV.pop_back();
    QVERIFY(test::sentenceOf([&] { run.trainer.restore(cut); }).find("second moment of head.weight") !=
            std::string::npos);
    QVERIFY(sameState(before, run.trainer.state()));
  }
  void twoMicroBatchesAreOneLargeBatch() {
    RunConfig large = test::tinyConfig();
    large.computeType = DType::f64;
    large.train.batch = 4;
    large.train.steps = 3;
    RunConfig split = large;
    split.train.batch = 2;
    split.train.microBatches = 2;
    // Separable: means over tokens. The load term is a product of two means and is not, but with global scope its
    // counts are.
    for (RunConfig* config : {&large, &split})
      for (LayerConfig& layer : config->model.layers) {
        layer.recipe.balance[0].scope = Recipe::BalanceTerm::Scope::globalBatch;
        layer.recipe.balance.push_back({.name = "z", .kind = Recipe::BalanceTerm::Kind::z, .coefficient = 0.01});
        layer.recipe.adjust.selectionBias.emplace();
      }
    Run one(large), two(split);
    // The two runs must see the same tokens: the large batch is set to what the micro-batches are.
    Batch whole, part;
    for (int micro = 0; micro < 2; ++micro) {
      two.trainer.corpus().drawTraining(part, split.seed, 0, micro, 2, split.model.context);
      whole.ids.insert(whole.ids.end(), part.ids.begin(), part.ids.end());
      whole.targets.insert(whole.targets.end(), part.targets.begin(), part.targets.end());
      whole.positions.insert(whole.positions.end(), part.positions.begin(), part.positions.end());
      whole.domains.insert(whole.domains.end(), part.domains.begin(), part.domains.end());
    }
    whole.sequences = 4;
    whole.length = part.length;
    PassSettings settings;
    settings.totalSteps = 3;
    settings.seed = large.seed;
    const LossSums sums = one.trainer.model().forwardBackward(whole, settings, 1);
    const StepPoint point = two.trainer.step();
    QVERIFY(std::abs(sums.loss / static_cast<double>(sums.targets) - point.loss) < 1e-12);
    QVERIFY(std::abs(sums.auxLoss - point.auxLoss) < 1e-12);
    QVERIFY(std::abs(sums.zLoss - point.zLoss) < 1e-12);
    for (std::size_t i = 0; i < one.trainer.model().parameters().all().size(); ++i) {
      const auto left = one.trainer.model().parameters().all()[i].gradient.span<double>();
      const auto right = two.trainer.model().parameters().all()[i].gradient.span<double>();
      for (std::size_t j = 0; j < left.size(); ++j) QVERIFY(std::abs(left[j] - right[j]) < 1e-12);
    }
    for (std::size_t i = 0; i < point.layers.size(); ++i) {
      const Routing& routing = *one.trainer.model().routing()[i];
      for (std::size_t e = 0; e < routing.load.size(); ++e)
        QCOMPARE(point.layers[i].load[e], static_cast<float>(static_cast<double>(routing.load[e]) / (24.0 * 2)));
    }
  }
  void loadsSumToOneAndThePointNamesEveryExpertLayer() {
    RunConfig config = eventful();
    config.model.layers[0].hasExperts = false;
    Run run(config);
    const StepPoint point = run.trainer.step();
    QCOMPARE(point.step, 1);
    QCOMPARE(point.layers.size(), std::size_t(1));
    const LayerPoint& layer = point.layers[0];
    QCOMPARE(layer.layer, 1);
    QCOMPARE(layer.load.size(), std::size_t(4));
    double sum = 0, largest = 0;
    for (float share : layer.load) sum += share, largest = std::max<double>(largest, share);
    QVERIFY(std::abs(sum - 1) < 1e-6);
    QVERIFY(std::abs(layer.maxVio - (largest * 4 - 1)) < 1e-5);
    QVERIFY(layer.routerEntropy > 0 && layer.routerEntropy <= layer.meanProbEntropy + 1e-6f &&
            layer.meanProbEntropy <= std::log(4.0f) + 1e-6f);
    QVERIFY(layer.dropRate > 0 && layer.dropRate < 1);
    QCOMPARE(layer.biasJaccard, 1.0f);  // the bias is still 0
    QCOMPARE(layer.balance.size(), std::size_t(1));
    QVERIFY(std::abs(point.auxLoss - 0.05 * layer.balance[0]) < 1e-6);
  }
  void theSelectionBiasFollowsTheLoads() {
    RunConfig config = eventful();
    Run run(config);
    const StepPoint point = run.trainer.step();
    for (std::size_t layer = 0; layer < 2; ++layer)
      for (std::size_t e = 0; e < 4; ++e) {
        const float share = point.layers[layer].load[e], bias = run.trainer.model().selectionBias(layer)[e];
        QCOMPARE(bias, share > 0.25f ? -0.001f : share < 0.25f ? 0.001f : 0.0f);
      }
    run.trainer.set("adjust.selection_bias.rate", "0.5");
    run.trainer.step();
    QVERIFY(run.trainer.step().layers[0].biasJaccard < 1);
  }
  void aNotFiniteStepLeavesEverythingAsItWas() {
    Run run(eventful());
    run.trainer.step();
    float& weight = run.trainer.model().parameters().find("layers.1.attention.qkv")->value.as<float>()[0];
    weight = std::numeric_limits<float>::infinity();
    const TrainingState before = run.trainer.state();
    const StepPoint point = run.trainer.step();
    QVERIFY(!std::isfinite(point.loss));
    QVERIFY(sameState(before, run.trainer.state()));
    QCOMPARE(run.trainer.stepsDone(), 1);
  }
  void clippingBoundsTheFirstUpdatesGradient() {
    // AdamW's first moment after one step is (1 - beta1) times the clipped gradient.
    RunConfig config = test::tinyConfig();
    config.train.clip = 0.01;
    Run run(config);
    QVERIFY(run.trainer.step().gradientNorm > 0.01);
    double squares = 0;
    for (const auto& named : run.trainer.state().optimizerM)
      for (float m : named.tensor.span<float>()) squares += static_cast<double>(m) * m;
    QVERIFY(std::abs(std::sqrt(squares) / 0.1 - 0.01) < 1e-6);
  }
  void knobsTakeEffectAtTheNextStepAndOthersAreRefused() {
    Run run(test::tinyConfig());
    run.trainer.set("balance.0.coefficient", "0");
    QCOMPARE(run.trainer.step().auxLoss, 0.0);
    run.trainer.set("select.k", "3");
    run.trainer.set("train.learning_rate", "0.5");
    QVERIFY(run.trainer.step().learningRate > 0.4);
    QCOMPARE(run.trainer.lastRouting()[0]->asked.size(), std::size_t(2 * 6 * 3));
  }
  void addingBiasBalancingAndAnAuxTermToARecipeWithoutThemWorks() {
    RunConfig config = test::tinyConfig();
    for (LayerConfig& layer : config.model.layers) layer.recipe.balance.clear();
    Run run(config);
    QCOMPARE(run.trainer.step().auxLoss, 0.0);
    run.trainer.set("balance.0.coefficient", "0.01");
    run.trainer.set("adjust.selection_bias.rate", "0.001");
    QVERIFY(run.trainer.step().auxLoss > 0.01);
    QVERIFY(run.trainer.model().selectionBias(0)[0] != 0);
    QCOMPARE(run.trainer.state().selectionBias.size(), std::size_t(2));
  }
  void aKnobThatNeedsNewWeightsIsRefused() {
    Run run(test::tinyConfig());
    QVERIFY(test::sentenceOf([&] { run.trainer.set("perturb.noise.kind", "learned"); }).find("start a new run") !=
            std::string::npos);
    QVERIFY(test::sentenceOf([&] { run.trainer.set("model.width", "16"); }).starts_with("[config] model.width"));
    QVERIFY(test::sentenceOf([&] { run.trainer.set("select.k", "9"); }).starts_with("[config] select.k"));
    run.trainer.set("perturb.noise.kind", "gaussian");
    run.trainer.step();
  }
  void aTooShortTextIsRefused() {
    RunConfig config = test::tinyConfig();
    config.train.batch = 1000;
    const std::string sentence = test::sentenceOf([&] { const Run run(config); });
    QVERIFY(sentence.starts_with("[data]"));
  }
};
SWITCHYARD_TEST(TrainerTest)
#include "trainer_test.moc"

#include "core/backend/backend.h"
