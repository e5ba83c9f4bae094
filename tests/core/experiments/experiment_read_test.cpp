#include <filesystem>
#include <fstream>

#include "core/experiments/experiment.h"
#include "core/experiments/measures.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_experiment.h"

using namespace moe;
using namespace moe::test;
using nlohmann::json;

class ExperimentReadTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void anArmIsItsPresetWithTheCommonSettingsThenItsOwn() {
    json file = tinyExperiment();
    file["set"]["balance.0.coefficient"] = 0.25;
    file["arms"][1]["steps"] = 9;
    const Experiment experiment = experimentFromJson(file, "tiny");
    QCOMPARE(experiment.id, std::string("tiny"));
    const RunConfig none = configOf(experiment, experiment.arms[0], 7),
                    aux = configOf(experiment, experiment.arms[1], 7);
    QCOMPARE(none.model.width, 8);
    QCOMPARE(none.seed, std::uint64_t{7});
    QCOMPARE(none.threads, 1);
    QCOMPARE(none.train.steps, std::int64_t{6});
    QCOMPARE(aux.train.steps, std::int64_t{9});
    QCOMPARE(none.model.layers[0].recipe.balance[0].coefficient, 0.25);
    QCOMPARE(aux.model.layers[0].recipe.balance[0].coefficient, 0.5);
  }
  void aTwinIsDenseAndAGrownArmHasItsDenseArmsSizes() {
    json file = tinyExperiment();
    file["arms"].push_back({{"name", "dense"}, {"preset", "dense"}, {"set", {{"model.dense.hidden", 12}}}});
    file["arms"].push_back({{"name", "grown"}, {"preset", "upcycling"}, {"grown_from", "dense"}});
    file["set"].erase("model.dense_layers");
    const Experiment experiment = experimentFromJson(file, "tiny");
    QVERIFY(!configOf(experiment, experiment.arms[2], 1).model.layers[0].hasExperts);
    const RunConfig grown = configOf(experiment, experiment.arms[4], 1);
    QVERIFY(grown.model.layers[0].hasExperts);
    QCOMPARE(grown.model.layers[0].recipe.experts.hidden, std::vector<int>{12});
    QCOMPARE(grown.startFrom.checkpoint, std::string("dense"));
  }
  void aMistakeIsRefusedByItsPath_data() {
    QTest::addColumn<QString>("named");
    QTest::addColumn<QString>("pointer");
    QTest::addColumn<QString>("value");  // empty: the entry is removed
    const auto row = [](const char* named, const char* pointer, const char* value) {
      QTest::addRow("%s %s", pointer, value) << QString(named) << QString(pointer) << QString(value);
    };
    for (const char* text :
         {"title", "question", "claim", "source", "here", "steps", "seeds", "arms", "measures", "bands"})
      row(text, (std::string("/") + text).c_str(), "");
    row("remark", "/remark", "1");
    row("steps", "/steps", "0");
    row("steps", "/steps", "\"many\"");
    row("seeds", "/seeds", "[]");
    row("seeds", "/seeds", "[1, 1]");
    row("seeds", "/seeds", "[-1]");
    row("set", "/set", "[1]");
    row("arms.0.name", "/arms/0/name", "");
    row("arms.1.name", "/arms/1/name", "\"none\"");
    row("arms.0.preset", "/arms/0/preset", "");
    row("arms.0", "/arms/0/preset", "\"unheard-of\"");
    row("arms.0", "/arms/0/set/select.kk", "2");
    row("select.k", "/arms/0/set/select.k", "9");
    row("arms.0.steps", "/arms/0/steps", "-3");
    row("arms.0.stepz", "/arms/0/stepz", "3");
    row("arms.0.grown_from", "/arms/0/grown_from", "\"aux\"");
    row("measures", "/measures/0", "\"beauty\"");
    row("measures", "/measures/1", "\"dead_experts@3\"");
    row("measures", "/measures/1", "\"validation_loss@7\"");
    row("measures", "/measures/1", "\"validation_loss@x\"");
    row("bands.0.arm", "/bands/0/arm", "\"nobody\"");
    row("bands.0.measure", "/bands/0/measure", "\"beauty\"");
    row("bands.0.says", "/bands/0/says", "");
    row("bands.0.seeds", "/bands/0/seeds", "\"some\"");
    row("bands.0.at_most", "/bands/0/at_most", "-1");
    row("bands.1.at_least", "/bands/1/at_most", "");
    row("bands.1.over.arm", "/bands/1/over/arm", "\"nobody\"");
    row("bands.1.over.measures", "/bands/1/over/measures", "1");
    row("bands.1", "/bands/1/minus", "{}");
  }
  void aMistakeIsRefusedByItsPath() {
    QFETCH(QString, named);
    QFETCH(QString, pointer);
    QFETCH(QString, value);
    json file = tinyExperiment();
    const json::json_pointer at(pointer.toStdString());
    if (value.isEmpty())
      file[at.parent_pointer()].erase(at.back());
    else
      file[at] = json::parse(value.toStdString());
    const std::string sentence = sentenceOf([&] { experimentFromJson(file, "tiny"); });
    QVERIFY2(sentence.starts_with("[experiment] tiny: "), sentence.c_str());
    QVERIFY2(sentence.find(named.toStdString()) != std::string::npos, sentence.c_str());
  }
  void theShippedFilesAreReadAndHaveThreeSeeds() {
    const std::vector<Experiment> shipped = shippedExperiments();
    QVERIFY(shipped.size() >= 7);
    for (const Experiment& experiment : shipped) {
      QVERIFY2(experiment.seeds.size() == 3, experiment.id.c_str());
      QVERIFY(!experiment.bands.empty());
    }
  }
};
SWITCHYARD_TEST(ExperimentReadTest)
#include "experiment_read_test.moc"
