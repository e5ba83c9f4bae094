#include "core/train/expert_surgery.h"

#include <cstring>
#include <nlohmann/json.hpp>

#include "core/train/trainer.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_trainer.h"

using namespace moe;
using test::Run;
using Kind = ExpertSurgery::Kind;
using From = ExpertSurgery::From;

namespace {

/// A run some steps old, as a checkpoint holds it.
struct Stored {
  RunConfig config;
  TrainingState state;
  WatchState watch;
};

Stored trained(const RunConfig& config, int steps = 3) {
  Run run(config);
  Stored stored{config, {}, {}};
  LoadWindow window(50);
  for (int i = 0; i < steps; ++i) window.push(run.trainer.step());
  stored.config = run.trainer.config();
  stored.state = run.trainer.state();
  stored.watch.loads = window.steps();
  return stored;
}

RunConfig biased() {
  RunConfig config = test::tinyConfig();
  for (LayerConfig& layer : config.model.layers) {
    layer.recipe.adjust.selectionBias.emplace();
    layer.recipe.experts.bias = true;
  }
  return config;
}

std::span<const float> values(const std::vector<TrainingState::Named>& tensors, const std::string& name) {
  for (const auto& named : tensors)
    if (named.name == name) return named.tensor.span<float>();
  return {};
}

/// Expert e's share of a bank of equal experts.
std::vector<float> part(std::span<const float> bank, std::size_t e, std::size_t experts) {
  const std::size_t each = bank.size() / experts;
  return {bank.begin() + static_cast<std::ptrdiff_t>(e * each),
          bank.begin() + static_cast<std::ptrdiff_t>((e + 1) * each)};
}

double lossOf(const Stored& stored) {
  Run run(stored.config);
  run.trainer.restore(stored.state);
  return run.trainer.evaluate(60);
}

const char* const kBanks[] = {"experts.gate",    "experts.up",        "experts.down", "experts.gate_bias",
                              "experts.up_bias", "experts.down_bias", "router.weight"};

constexpr auto kLists = {&TrainingState::parameters, &TrainingState::optimizerM, &TrainingState::optimizerV};

/// Throws before anything changes.
std::string refusal(Stored&& stored, const ExpertSurgery& surgery) {
  return test::sentenceOf([&] { operate(stored.config, stored.state, stored.watch, surgery); });
}

}  // namespace

class ExpertSurgeryTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aCopyWithoutNoiseIsTheBusiestInWeightsAndMoments() {
    const Stored before = trained(biased());
    Stored after = trained(biased());
    const std::string sentence = operate(after.config, after.state, after.watch, {.noise = 0, .coldStart = false});
    QVERIFY2(sentence.starts_with("1 expert was added to every expert layer, a copy of the busiest (L0 E"),
             sentence.c_str());
    LoadWindow window(50);
    window.restore(before.watch.loads);
    const auto loads = window.utilization(50);
    for (std::size_t layer = 0; layer < 2; ++layer) {
      QCOMPARE(after.config.model.layers[layer].recipe.experts.count, 5);
      std::size_t busiest = 0;
      for (std::size_t e = 1; e < 4; ++e)
        if (loads[layer * 4 + e].utilization > loads[layer * 4 + busiest].utilization) busiest = e;
      for (const auto list : kLists)
        for (const char* bank : kBanks) {
          const std::string name = "layers." + std::to_string(layer) + "." + bank;
          const auto old = values(before.state.*list, name), now = values(after.state.*list, name);
          QCOMPARE(now.size() * 4, old.size() * 5);
          for (std::size_t e = 0; e < 4; ++e) QVERIFY(part(old, e, 4) == part(now, e, 5));
          QVERIFY(part(now, 4, 5) == part(old, busiest, 4));
        }
      const auto oldBias = before.state.selectionBias[layer].tensor.span<float>(),
                 bias = after.state.selectionBias[layer].tensor.span<float>();
      QCOMPARE(bias.size(), std::size_t(5));
      for (std::size_t e = 0; e < 4; ++e) QCOMPARE(bias[e], oldBias[e]);
      QCOMPARE(bias[4], oldBias[busiest]);
    }
    for (const char* name : {"embedding.tokens", "layers.1.attention.qkv", "final_norm.weight", "head.weight"})
      for (const auto list : kLists)
        QVERIFY(std::ranges::equal(values(before.state.*list, name), values(after.state.*list, name)));
    QVERIFY(after.watch.loads.empty());
    QCOMPARE(after.state.step, 3);
  }
  void noiseIsOfTheChosenSizeAndMomentsHaveNone() {
    Stored plain = trained(biased()), noisy = trained(biased());
    operate(plain.config, plain.state, plain.watch, {.noise = 0, .coldStart = false});
    operate(noisy.config, noisy.state, noisy.watch, {.noise = 0.5, .coldStart = false});
    const std::string name = "layers.0.experts.up";
    const auto a = part(values(plain.state.parameters, name), 4, 5),
               b = part(values(noisy.state.parameters, name), 4, 5);
    double mean = 0, squares = 0, added = 0;
    for (float x : a) mean += x / static_cast<double>(a.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      squares += (a[i] - mean) * (a[i] - mean);
      added += static_cast<double>(b[i] - a[i]) * (b[i] - a[i]);
    }
    const double share = std::sqrt(added / squares);  // 48 draws: within a third
    QVERIFY2(share > 0.33 && share < 0.67, std::to_string(share).c_str());
    for (const char* bias : {"layers.0.experts.up_bias", "layers.0.experts.down_bias"})
      QVERIFY(std::ranges::equal(values(plain.state.parameters, bias), values(noisy.state.parameters, bias)));
    QVERIFY(std::ranges::equal(values(plain.state.optimizerV, name), values(noisy.state.optimizerV, name)));
  }
  void aFreshExpertIsDrawnAndHasNoMoments() {
    Stored after = trained(biased());
    const Stored before = trained(biased());
    const std::string sentence =
        operate(after.config, after.state, after.watch, {.layer = 1, .count = 2, .from = From::fresh});
    QVERIFY2(
        sentence.starts_with("2 experts were added to layer 1, fresh; 20 % of tokens are sent there until step 1003"),
        sentence.c_str());
    QCOMPARE(after.config.model.layers[0].recipe.experts.count, 4);
    QCOMPARE(after.config.model.layers[1].recipe.experts.count, 6);
    const std::string name = "layers.1.experts.gate";
    const auto five = part(values(after.state.parameters, name), 4, 6),
               six = part(values(after.state.parameters, name), 5, 6);
    QVERIFY(five != six && five[0] != 0);
    for (float x : part(values(after.state.optimizerM, name), 5, 6)) QCOMPARE(x, 0.0f);
    for (float x : part(values(after.state.parameters, "layers.1.experts.up_bias"), 4, 6)) QCOMPARE(x, 0.0f);
    const auto old = before.state.selectionBias[1].tensor.span<float>();
    QVERIFY(std::abs(after.state.selectionBias[1].tensor.span<float>()[5] - (old[0] + old[1] + old[2] + old[3]) / 4) <
            1e-6f);
    QVERIFY(std::ranges::equal(values(before.state.parameters, "layers.0.experts.gate"),
                               values(after.state.parameters, "layers.0.experts.gate")));
  }
  void removalKeepsTheOthersAndRenumbersWhatNamesThem() {
    RunConfig config = biased();
    config.train.frozenExperts = {{0, 3}, {1, 1}, {1, 2}, {1, 3}};
    for (LayerConfig& layer : config.model.layers) layer.recipe.select.force = Recipe::Select::Force{.experts = {1, 3}};
    const Stored before = trained(config);
    Stored after = trained(config);
    operate(after.config, after.state, after.watch, {.kind = Kind::remove, .layer = 1, .expert = 2});
    for (const auto list : kLists)
      for (const char* bank : kBanks) {
        const std::string name = std::string("layers.1.") + bank;
        const auto old = values(before.state.*list, name), now = values(after.state.*list, name);
        QCOMPARE(now.size() * 4, old.size() * 3);
        QVERIFY(part(old, 0, 4) == part(now, 0, 3) && part(old, 1, 4) == part(now, 1, 3) &&
                part(old, 3, 4) == part(now, 2, 3));
        QVERIFY(std::ranges::equal(values(before.state.*list, std::string("layers.0.") + bank),
                                   values(after.state.*list, std::string("layers.0.") + bank)));
      }
    QVERIFY((after.config.train.frozenExperts == std::vector<ExpertPlace>{{0, 3}, {1, 1}, {1, 2}}));
    QVERIFY((after.config.model.layers[1].recipe.select.force->experts == std::vector<int>{1, 2}));
    QVERIFY((after.config.model.layers[0].recipe.select.force->experts == std::vector<int>{1, 3}));
  }
  void removingAnExpertThatNobodySelectsLeavesTheLossAsItWas() {
    RunConfig config = biased();
    config.computeType = DType::f64;
    for (LayerConfig& layer : config.model.layers) layer.recipe.weigh.kind = Recipe::Weigh::Kind::softmaxSelected;
    Stored stored = trained(config);
    // No other bias: beside one, probabilities that share out the removed expert's part would rank differently.
    for (auto& bias : stored.state.selectionBias)
      for (int e = 0; e < 4; ++e) bias.tensor.as<float>()[e] = e == 2 ? -9.0f : 0.0f;
    const double before = lossOf(stored);
    Stored removed{stored.config, {}, stored.watch};
    {
      Run run(stored.config);
      run.trainer.restore(stored.state);
      removed.state = run.trainer.state();
    }
    operate(removed.config, removed.state, removed.watch, {.kind = Kind::remove, .expert = 2});
    QCOMPARE(lossOf(removed), before);
    operate(removed.config, removed.state, removed.watch, {.kind = Kind::remove, .expert = 0});
    QVERIFY(lossOf(removed) != before);
  }
  void theChangedRunTrainsOnAndEveryLayerMayHaveItsOwnNumber() {
    Stored stored = trained(biased());
    operate(stored.config, stored.state, stored.watch, {.layer = 1, .count = 2});
    operate(stored.config, stored.state, stored.watch, {.kind = Kind::remove, .layer = 0, .expert = 1});
    const RunConfig read = runConfigFromJson(toJson(stored.config));
    QVERIFY(read == stored.config);
    Run run(read);
    run.trainer.restore(stored.state);
    const StepPoint point = run.trainer.step();
    QCOMPARE(point.step, 4);
    QCOMPARE(point.layers[0].load.size(), std::size_t(3));
    QCOMPARE(point.layers[1].load.size(), std::size_t(6));
    QVERIFY(point.layers[1].load[4] > 0 && point.layers[1].load[5] > 0);  // the cold start sends tokens there
    QVERIFY(
        test::sentenceOf([&] { run.trainer.set("select.k", "4"); }).starts_with("[config] select.k"));  // layer 0 has 3
    run.trainer.set("select.k", "3");
    QCOMPARE(run.trainer.lastRouting().size(), std::size_t(2));
    QVERIFY(std::isfinite(run.trainer.step().loss));
  }
  void knobsOfTheCommonRecipeReachEveryLayer() {
    Stored stored = trained(biased());
    operate(stored.config, stored.state, stored.watch, {.layer = 1});
    setByPath(stored.config, "balance.0.coefficient", "0.25");
    for (const LayerConfig& layer : stored.config.model.layers) QCOMPARE(layer.recipe.balance[0].coefficient, 0.25);
    QCOMPARE(stored.config.model.layers[1].recipe.experts.count, 5);
  }
  void aHashedModelGetsATableForItsNewNumber() {
    Stored stored = trained(test::hashedConfig());
    operate(stored.config, stored.state, stored.watch, {.count = 4});
    QVERIFY(!stored.config.model.layers[0].recipe.select.force);
    Run run(stored.config);
    run.trainer.restore(stored.state);
    int used = 0;
    const StepPoint point = run.trainer.step();
    for (float share : point.layers[0].load) used += share > 0;
    QVERIFY(used > 4);
  }
  void expertsOfDifferentSizesKeepTheirs() {
    RunConfig config = biased();
    for (LayerConfig& layer : config.model.layers) layer.recipe.experts.hidden = {3, 5, 7, 4};
    Stored stored = trained(config);
    const std::vector<float> up(values(stored.state.parameters, "layers.0.experts.up").begin(),
                                values(stored.state.parameters, "layers.0.experts.up").end());
    operate(stored.config, stored.state, stored.watch, {.kind = Kind::remove, .expert = 1});
    QVERIFY((stored.config.model.layers[0].recipe.experts.hidden == std::vector<int>{3, 7, 4}));
    const auto now = values(stored.state.parameters, "layers.0.experts.up");  // (H, D): hidden unit by hidden unit
    QVERIFY(std::equal(now.begin(), now.begin() + 24, up.begin()));
    QVERIFY(std::equal(now.begin() + 24, now.end(), up.begin() + 64));
    operate(stored.config, stored.state, stored.watch, {.from = From::fresh});
    QVERIFY((stored.config.model.layers[0].recipe.experts.hidden == std::vector<int>{3, 7, 4, 4}));
    Run run(stored.config);
    run.trainer.restore(stored.state);
    QVERIFY(std::isfinite(run.trainer.step().loss));
  }
  void whatDoesNotFitIsRefusedAndNothingChanges() {
    QVERIFY(refusal(trained(biased()), {.count = 0}).find("Between 1 and") != std::string::npos);
    QVERIFY(refusal(trained(biased()), {.noise = -1}).find("noise") != std::string::npos);
    QVERIFY(refusal(trained(biased()), {.kind = Kind::remove, .expert = 4}).find("experts 0 to 3") !=
            std::string::npos);
    QVERIFY(refusal(trained(biased()), {.layer = 2}).find("Layer 2 has no experts") != std::string::npos);
    QVERIFY(refusal(trained(biased(), 0), {}).find("no expert is the busiest") != std::string::npos);
    RunConfig config = biased();
    for (LayerConfig& layer : config.model.layers) layer.recipe.select.k = 4;
    QVERIFY(refusal(trained(config), {.kind = Kind::remove}).find("select.k: k is at most") != std::string::npos);
    config = biased();
    for (LayerConfig& layer : config.model.layers)
      layer.recipe.adjust.expertGroups = Recipe::Adjust::ExpertGroups{.count = 2, .keep = 1};
    QVERIFY(refusal(trained(config), {}).find("number of groups must divide") != std::string::npos);
    config = test::tinyConfig();
    for (LayerConfig& layer : config.model.layers) {
      layer.recipe.select.kind = Recipe::Select::Kind::assignment;
      layer.recipe.weigh.kind = Recipe::Weigh::Kind::score;
    }
    QVERIFY(refusal(trained(config), {}).find("multiple of the number of experts") != std::string::npos);
    config = test::tinyConfig();
    for (LayerConfig& layer : config.model.layers)
      layer.recipe.balance[0].layers = Recipe::BalanceTerm::Layers::concatenated;
    QVERIFY(refusal(trained(config), {.layer = 0}).find("as many experts in each layer") != std::string::npos);
    Stored same = trained(config);
    const RunConfig before = same.config;
    refusal(std::move(same), {.layer = 0});
    QVERIFY(same.config == before);
  }
};
SWITCHYARD_TEST(ExpertSurgeryTest)
#include "expert_surgery_test.moc"
