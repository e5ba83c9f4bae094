#include "core/train/run_config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/explain/run_facts.h"
#include "core/router/stages.h"
#include "core/telemetry/figure_text.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

using namespace moe;
using nlohmann::json;

namespace {

std::string refusalOf(const char* text) {
  return test::sentenceOf([&] { runConfigFromJson(json::parse(text)); });
}

bool refers(const std::vector<Problem>& problems, const std::string& path) {
  for (const Problem& problem : problems)
    if (problem.path == path && problem.sentence.ends_with('.')) return true;
  return false;
}

}  // namespace

class RunConfigTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void readingWhatWasWrittenGivesAnEqualConfiguration() {
    for (const Preset& preset : presets()) {
      const RunConfig config = runConfigOfPreset(preset.id);
      QVERIFY2(runConfigFromJson(toJson(config)) == config, preset.id.c_str());
    }
    RunConfig odd = test::tinyConfig();
    odd.model.layers[1].hasExperts = false;
    odd.model.layers[1].dense.hidden = 17;
    odd.computeType = DType::bf16;
    odd.data.tokenizer = TokenizerKind::bpe;
    odd.seed = ~std::uint64_t{0};
    QVERIFY(runConfigFromJson(toJson(odd)) == odd);
  }
  void whatIsWrongIsNamedByItsPath_data() {
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("sentence");
    const auto row = [](const char* text, const char* sentence) {
      QTest::newRow(text) << QString(text) << QString(sentence);
    };
    row(R"({"train": {"bach": 3}})", "[config] train.bach: unknown key; expected one of schedule, learning_rate");
    row(R"({"train": {"batch": "3"}})", "[config] train.batch: expected an integer, found \"3\"");
    row(R"({"train": {"batch": 3.5}})", "[config] train.batch: expected an integer, found 3.5");
    row(R"({"train": {"batch": 3000000000}})", "[config] train.batch: expected an integer, found 3000000000");
    row(R"({"train": {"schedule": "linear"}})",
        "[config] train.schedule: expected one of cosine, constant, found \"linear\"");
    row(R"({"train": []})", "[config] train: expected an object, found []");
    row(R"({"seed": -1})", "[config] seed: expected a whole number, 0 or more, found -1");
    row(R"({"model": {"tied_head": 1}})", "[config] model.tied_head: expected true or false, found 1");
    row(R"({"model": {"layers": 2000000000}})", "[config] model.layers: expected 1 to 1024, found 2000000000");
    row(R"({"model": {"layers": 2, "dense_layers": [2]}})",
        "[config] model.dense_layers: expected layer indices from 0 to 1, found [2]");
    row(R"({"model": {"dense": {"hidden": [1]}}})",
        "[config] model.dense.hidden: expected an integer, or one a layer, found [1]");
    row(R"({"recipe": {"experts": {"count": 4, "kind": "glu", "hidden": 8}, "select": {"kind": "topk"}}})",
        "[config] select.kind: expected one of top_k");
    row(R"({"dtype": "fp32"})", "[config] dtype: expected one of auto, f32, bf16, f64, found \"fp32\"");
    row(R"([])", "[config] the configuration: expected an object, found []");
  }
  void whatIsWrongIsNamedByItsPath() {
    QFETCH(QString, text);
    QFETCH(QString, sentence);
    const std::string said = refusalOf(text.toUtf8().constData());
    QVERIFY2(said.starts_with(sentence.toStdString()), said.c_str());
  }
  void aPathSetsAndGetsOneSetting_data() {
    QTest::addColumn<QString>("path");
    QTest::addColumn<QString>("value");
    for (const auto& [path, value] :
         std::initializer_list<std::pair<const char*, const char*>>{{"train.learning_rate", "0.5"},
                                                                    {"select.k", "3"},
                                                                    {"balance.0.coefficient", "0.25"},
                                                                    {"capacity.factor", "1.5"},
                                                                    {"perturb.noise.kind", "\"gaussian\""},
                                                                    {"perturb.noise.sigma", "0.5"},
                                                                    {"seed", "12"},
                                                                    {"dtype", "\"bf16\""},
                                                                    {"model.layers", "3"},
                                                                    {"model.dense_layers", "[0]"},
                                                                    {"alerts.window", "20"},
                                                                    {"data.source", "\"/a b/c.txt\""},
                                                                    {"combine.shared.count", "2"},
                                                                    {"adjust.selection_bias.rate", "0.01"},
                                                                    {"experts.hidden", "[1,2,3,4]"},
                                                                    {"label", "\"x\""}})
      QTest::newRow(path) << QString(path) << QString(value);
  }
  void aPathSetsAndGetsOneSetting() {
    QFETCH(QString, path);
    QFETCH(QString, value);
    RunConfig config = test::tinyConfig();
    const std::string before = getByPath(config, path.toStdString());
    QVERIFY(before != value.toStdString());
    setByPath(config, path.toStdString(), value.toStdString());
    QCOMPARE(getByPath(config, path.toStdString()), value.toStdString());
  }
  void aBareWordIsAText() {
    RunConfig config = test::tinyConfig();
    setByPath(config, "score.kind", "sigmoid");
    QCOMPARE(config.model.layers[0].recipe.score, Recipe::Score::sigmoid);
    for (const char* words : {"2024", "true", "[1]", "1e5"}) {
      setByPath(config, "label", words);
      QCOMPARE(config.label, std::string(words));
    }
    setByPath(config, "data.source", "/tmp/my text.txt");
    QCOMPARE(config.data.source, std::string("/tmp/my text.txt"));
  }
  void theRemediesCreateWhatARecipeLacks() {
    RunConfig config = test::tinyConfig();
    for (LayerConfig& layer : config.model.layers) layer.recipe.balance.clear();
    const RunConfig before = config;
    QCOMPARE(getByPath(config, "balance.0.coefficient"), std::string("null"));
    setByPath(config, "balance.0.coefficient", "0.01");
    const Recipe& recipe = config.model.layers[1].recipe;
    QCOMPARE(recipe.balance.size(), std::size_t(1));
    QCOMPARE(recipe.balance[0].name, std::string("aux"));
    QCOMPARE(recipe.balance[0].kind, Recipe::BalanceTerm::Kind::load);
    QCOMPARE(recipe.balance[0].coefficient, 0.01);
    QCOMPARE(getByPath(config, "adjust.selection_bias.rate"), std::string("null"));
    setByPath(config, "adjust.selection_bias.rate", "0.001");
    QVERIFY(config.model.layers[0].recipe.adjust.selectionBias.has_value());
    // Undo puts the old values back, and what came with them goes.
    setByPath(config, "adjust.selection_bias.rate", "null");
    setByPath(config, "balance.0.coefficient", "null");
    QVERIFY(config == before);
  }
  void anUnknownPathIsRefusedAndChangesNothing() {
    RunConfig config = test::tinyConfig();
    const RunConfig before = config;
    for (const char* path : {"selekt.k", "select.kk", "train.bach", "balance.7.coefficient", "balance.x.coefficient",
                             "seed.x", "", "model", "."})
      QVERIFY2(test::sentenceOf([&] { setByPath(config, path, "1"); }).starts_with("[config] "), path);
    QVERIFY(
        test::sentenceOf([&] { getByPath(config, "select.kk"); }).starts_with("[config] select.kk: unknown setting"));
    QVERIFY(test::sentenceOf([&] {
              setByPath(config, "select.k", "two");
            }).starts_with("[config] select.k: expected an integer, found \"two\""));
    QVERIFY(config == before);
  }
  void theVocabularyFollowsTheTokenizer() {
    RunConfig config = test::tinyConfig();
    setByPath(config, "data.tokenizer", "bpe");
    QCOMPARE(config.model.vocabulary, 512);
    setByPath(config, "data.vocabulary", "700");
    QCOMPARE(config.model.vocabulary, 700);
    setByPath(config, "data.tokenizer", "bytes");
    QCOMPARE(config.model.vocabulary, 256);
  }
  void onlySettingsThatKeepEveryShapeChangeLive() {
    for (const char* path : {"balance.3.coefficient", "adjust.selection_bias.rate", "capacity.factor", "select.k",
                             "train.steps", "alerts.window"})
      QVERIFY2(changesLive(path), path);
    for (const char* path :
         {"model.width", "experts.count", "train.batch", "seed", "balance.0.kind", "data.source", "dtype"})
      QVERIFY2(!changesLive(path), path);
  }
  void everySettingOfTheStageTablesHasAValueAndTakesAnother() {
    for (const SettingSection& stage : stages())
      for (const Setting& setting : stage.settings) {
        RunConfig config = test::tinyConfig();
        const std::string path = (stage.id == "balance" ? "balance.0." : "") + std::string(setting.path);
        getByPath(config, path);  // throws where there is no such setting
        QCOMPARE(changesLive(path), setting.changesLive);
        std::string value = json(setting.maximum).dump();
        if (setting.kind == SettingKind::choice) value = json(setting.words.back().id).dump();
        if (setting.kind == SettingKind::boolean) value = "true";
        if (setting.kind == SettingKind::integer) value = json(static_cast<std::int64_t>(setting.maximum)).dump();
        if (setting.kind == SettingKind::integerList) value = "[1,2]";
        setByPath(config, path, value);
        QCOMPARE(json::parse(getByPath(config, path)), json::parse(value));
      }
  }
  void theAlertsWindowIsBoundedByTheLoadsThatItKeeps() {
    RunConfig config = test::tinyConfig();
    const auto said = [&config](int window, int experts) -> std::string {
      config.alerts.window = window;
      for (LayerConfig& layer : config.model.layers) layer.recipe.experts.count = experts;
      for (const Problem& problem : problems(config))
        if (problem.path == "alerts.window") return problem.sentence;
      return {};
    };
    QCOMPARE(said(100'000, 8), std::string());
    QCOMPARE(said(100'001, 8), std::string("Window: expected a whole number from 1 to 100,000, found 100001."));
    QCOMPARE(said(0, 8), std::string("Window: expected a whole number from 1 to 100,000, found 0."));
    const std::int64_t experts = 4096 * std::ranges::count_if(config.model.layers, &LayerConfig::hasExperts);
    const int most = static_cast<int>((std::int64_t{1} << 26) / experts);
    QCOMPARE(said(most, 4096), std::string());
    QVERIFY2(said(most + 1, 4096).find("at most " + countText(most) + " steps of so many") != std::string::npos,
             said(most + 1, 4096).c_str());
  }
  void problemsStandAtTheirField() {
    QVERIFY(problems(test::tinyConfig()).empty());
    RunConfig config = test::tinyConfig();
    config.model.layers[0].attention.headWidth = config.model.layers[1].attention.headWidth = 3;
    config.train.beta2 = 1;
    config.train.batch = 0;
    config.alerts.clears = 0.01;
    config.backend = "abacus";
    for (LayerConfig& layer : config.model.layers) layer.recipe.select.k = 5;
    const std::vector<Problem> found = problems(config);
    for (const char* path : {"model.head_width", "train.beta2", "train.batch", "alerts.clears", "backend", "select.k"})
      QVERIFY2(refers(found, path), path);
    QCOMPARE(found.size(), std::size_t(6));
  }
  void aPathThatIsNotUtf8ComesBackByteForByte() {
    RunConfig config = test::tinyConfig();
    config.data.source = "/tmp/caf\xe9\n.txt";
    config.startFrom.checkpoint = "/runs/\xff";
    const std::string text = toJson(config).dump();
    const RunConfig again = runConfigFromJson(nlohmann::json::parse(text));
    QCOMPARE(again.data.source, config.data.source);
    QCOMPARE(again.startFrom.checkpoint, config.startFrom.checkpoint);
    for (const char* damaged : {R"({"data":{"source":{"bytes":"2"}}})", R"({"data":{"source":{"bytes":"zz"}}})",
                                R"({"data":{"source":{"hex":"20"}}})", R"({"data":{"source":7}})"})
      QVERIFY_THROWS_EXCEPTION(Error, runConfigFromJson(nlohmann::json::parse(damaged)));
  }
  void aValueThatNestsTooDeepIsRefusedInWords() {
    const std::string deep = std::string(60'000, '[') + std::string(60'000, ']');
    for (const char* path : {"name", "train.learning_rate", "layer_recipes", "no.such.path"}) {
      RunConfig config = test::tinyConfig();
      const std::string refused = test::sentenceOf([&] { setByPath(config, path, deep); });
      QVERIFY2(refused.starts_with("[config]"), refused.c_str());
      QVERIFY2(refused.size() < 300, refused.c_str());
    }
    QVERIFY(!configFromText(deep).has_value());
  }
};
SWITCHYARD_TEST(RunConfigTest)
#include "run_config_test.moc"
