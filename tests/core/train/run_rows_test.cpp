#include "core/train/run_rows.h"

#include <nlohmann/json.hpp>
#include <set>

#include "core/router/stages.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;
using nlohmann::json;

namespace {

const Problem* problemAt(const std::vector<Problem>& problems, const std::string& path) {
  for (const Problem& problem : problems)
    if (problem.path == path) return &problem;
  return nullptr;
}

}  // namespace

class RunRowsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everySettingIsFoundByItsPathAndStandsThereOnce() {
    std::set<std::string> paths;
    for (const NamedSetting& named : settingsAt()) {
      QVERIFY2(paths.insert(named.path).second, named.path.c_str());
      std::string path = named.path;
      if (const std::size_t entry = path.find(".N."); entry != std::string::npos) path.replace(entry, 3, ".3.");
      QCOMPARE(findSetting(path), named.setting);
    }
    QVERIFY(paths.size() > 90);
    for (const char* path : {"", "select", "select.", "select.kk", "balance", "balance.0", "balance.kind",
                             "balance..kind", "balance.x.kind", "balance.0.kk", "train.", "trainsteps"})
      QVERIFY2(!findSetting(path), path);
  }
  void whateverTheScreenShowsIsARow() {
    for (const std::vector<SettingSection>* group : {&stages(), &runSections()})
      for (const SettingSection& section : *group)
        for (const Setting& setting : section.settings) {
          const std::string path = (section.id == "balance" ? "balance.0." : "") + std::string(setting.path);
          const Setting* row = findSetting(path);
          QVERIFY2(row, path.c_str());
          QCOMPARE(row->maximum, setting.maximum);
          QCOMPARE(row->changesLive, setting.changesLive);
        }
  }
  void aValueOutsideItsRangeIsRefusedWhereItStandsInOneFormOfWords() {
    RunConfig config = test::tinyConfig();
    config.model.context = 65'537;
    config.train.learningRate = -1;
    config.model.layers.front().recipe.experts.count = 65'537;
    const std::vector<Problem> found = problems(config);
    const Problem* context = problemAt(found, "model.context");
    QVERIFY(context);
    QCOMPARE(context->sentence, std::string("Context: expected a whole number from 1 to 65,536, found 65537."));
    const Problem* rate = problemAt(found, "train.learning_rate");
    QVERIFY(rate);
    QCOMPARE(rate->sentence, std::string("Learning rate: expected a number from 0 to 10, found -1."));
    QVERIFY(problemAt(found, "experts.count"));
  }
  void bothEndsOfARangeAreTaken() {
    for (const NamedSetting& named : settingsAt()) {
      if (expectedOf(*named.setting).empty() || named.setting->kind == SettingKind::integerList) continue;
      for (const double end : {named.setting->minimum, named.setting->maximum})
        QVERIFY2(rows::rangeFault(*named.setting, json(end)).empty(), named.path.c_str());
      for (const double beyond : {named.setting->minimum - 1, named.setting->maximum * 2 + 1, std::nan("")})
        QVERIFY2(!rows::rangeFault(*named.setting, json(beyond)).empty(), named.path.c_str());
    }
  }
  void aSettingThatMeansNothingIsHiddenAndRefusedOnlyWhereSomebodySetIt() {
    RunConfig config = test::tinyConfig();
    Recipe& recipe = config.model.layers.front().recipe;
    recipe.perturb.noise = Recipe::Perturb::Noise::none;
    QVERIFY(!matters(config, "perturb.noise.sigma"));
    recipe.perturb.sigma = -1;
    QVERIFY(problemAt(problems(config), "perturb.noise.sigma"));
    recipe.perturb.noise = Recipe::Perturb::Noise::gaussian;
    QVERIFY(matters(config, "perturb.noise.sigma"));
    QCOMPARE(recipe.capacity.tries, 0);  // below its range, and no capacity in which a token could try
    QVERIFY(!problemAt(problems(config), "capacity.tries"));
    recipe.balance = {{.name = "z", .kind = BalanceTerm::Kind::z}};
    QVERIFY(matters(config, "balance.0.coefficient"));
    QVERIFY(!matters(config, "balance.0.normalisation"));
  }
  void attentionOfSingleLayersSurvivesARoundTrip() {
    RunConfig config = runConfigFromJson(toJson(test::tinyConfig()));
    config.model.layers.resize(3, config.model.layers.front());
    config.model.layers[1].attention = {.heads = 1, .kvHeads = 1, .headWidth = 6};
    const json written = toJson(config);
    QVERIFY(runConfigFromJson(written) == config);
    setByPath(config, "train.steps", "9");
    QCOMPARE(config.model.layers[1].attention.headWidth, 6);
    json wrong = written;
    wrong["layer_attention"]["1"]["head"] = 3;
    try {
      runConfigFromJson(wrong);
      QFAIL("it was read");
    } catch (const std::exception& error) {
      QVERIFY2(QString(error.what()).contains("layer_attention.1.head: unknown key; expected one of heads, kv_heads"),
               error.what());
    }
  }
  void everyDefaultIsWhatAConfigurationThatSaysNothingHas() {
    RunConfig config = runConfigFromJson(json::object());
    for (const NamedSetting& named : settingsAt()) {
      if (named.path.find(".N.") != std::string::npos || named.setting->standard.empty()) continue;
      QCOMPARE(QString::fromStdString(named.path + " " + getByPath(config, named.path)),
               QString::fromStdString(named.path + " " + named.setting->standard));
    }
  }
};
SWITCHYARD_TEST(RunRowsTest)
#include "run_rows_test.moc"
