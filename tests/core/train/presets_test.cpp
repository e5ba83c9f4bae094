#include <cmath>
#include <nlohmann/json.hpp>

#include "core/backend/backend.h"
#include "core/explain/run_facts.h"
#include "core/train/run_config.h"
#include "core/train/trainer.h"
#include "tests/support/register.h"
#include "tests/support/shrunken_presets.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

using namespace moe;

class PresetsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyPresetSaysWhatItIsAndHasNoProblems() {
    QVERIFY(presets().size() >= 7);
    for (const Preset& preset : presets()) {
      const char* id = preset.id.c_str();
      QVERIFY2(!preset.label.empty() && !preset.source.empty() && !preset.about.empty() && !preset.scaled.empty(), id);
      const RunConfig config = runConfigOfPreset(preset.id);
      QCOMPARE(config.preset, preset.id);
      QCOMPARE(config.label, preset.label);
      const std::vector<Problem> found = problems(config);
      QVERIFY2(found.empty(),
               found.empty() ? "" : (preset.id + " " + found[0].path + ": " + found[0].sentence).c_str());
    }
  }
  void aBalanceTermsFormulaIsTheOneComputed() {
    const auto formulaOf = [](const char* preset) { return factsOf(runConfigOfPreset(preset)).terms.at(0).formula; };
    QCOMPARE(formulaOf("gshard"), std::string("1/E \u03a3 f P"));
    QCOMPARE(formulaOf("qwen2_moe"), std::string("E \u03a3 f P"));
  }
  void topPSaysWhatItsActiveParametersTakeForGranted() {
    const RunFacts facts = factsOf(runConfigOfPreset("top_p"));
    QVERIFY2(facts.assumedActive.find("experts a token, as if all were equally probable") != std::string::npos,
             facts.assumedActive.c_str());
    QCOMPARE(factsOf(runConfigOfPreset("mixtral")).assumedActive, std::string());
  }
  void aBlocksNormEpsilonIsItsOwnAndTheModelsWhereItSaysNone() {
    const auto lossOf = [](const char* path, const char* value) {
      RunConfig config = test::shrunken("mixtral");
      setByPath(config, path, value);
      const auto backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f64});
      return Trainer(*backend, config, test::tinyCorpus()).evaluate(200);
    };
    const double plain = lossOf("block.norm_epsilon", "1e-5");
    QCOMPARE(lossOf("model.norm_epsilon", "1e-5"), plain);
    QVERIFY(std::abs(lossOf("block.norm_epsilon", "0.5") - plain) > 1e-4);
    QVERIFY(std::abs(lossOf("model.norm_epsilon", "0.5") - lossOf("block.norm_epsilon", "0.5")) >
            1e-6);  // the last norm's too
  }
  void anUnknownPresetIsAnErrorThatListsTheKnown() {
    const std::string sentence = test::sentenceOf([] { runConfigOfPreset("mixtrall"); });
    QVERIFY2(sentence.starts_with("[preset] mixtrall: no preset of that name; expected one of dense, switch, mixtral"),
             sentence.c_str());
  }
  void everyPresetTrainsWhenShrunken() {
    for (const Preset& preset : presets()) {
      const RunConfig config = test::shrunken(preset.id);
      const auto backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f32});
      Trainer trainer(*backend, config, test::tinyCorpus());
      const auto before = trainer.state();
      for (int i = 0; i < 3; ++i) {
        const StepPoint point = trainer.step();
        QVERIFY2(std::isfinite(point.loss) && point.gradientNorm > 0, preset.id.c_str());
        for (const LayerPoint& layer : point.layers)
          QCOMPARE(layer.balance.size(), config.model.layers.back().recipe.balance.size());
      }
      QVERIFY(before.parameters[0].tensor.as<float>()[0] != trainer.state().parameters[0].tensor.as<float>()[0]);
    }
  }
  void theCuredCollapsesAreTheCollapseWithOneThingAdded() {
    const RunConfig plain = runConfigOfPreset("collapse");
    RunConfig aux = runConfigOfPreset("collapse-aux"), bias = runConfigOfPreset("collapse-bias");
    QVERIFY(plain.model.layers[0].recipe.balance.empty());
    QCOMPARE(aux.model.layers[0].recipe.balance.size(), std::size_t(1));
    QVERIFY(bias.model.layers[0].recipe.adjust.selectionBias.has_value());
    for (LayerConfig& layer : aux.model.layers) layer.recipe.balance.clear();
    for (LayerConfig& layer : bias.model.layers) layer.recipe.adjust.selectionBias.reset();
    QVERIFY(aux.model == plain.model && aux.train == plain.train && aux.data == plain.data);
    QVERIFY(bias.model == plain.model && bias.train == plain.train && bias.data == plain.data);
  }
};
SWITCHYARD_TEST(PresetsTest)
#include "presets_test.moc"
