#include <cmath>

#include "core/experiments/report.h"
#include "core/experiments/runner.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_experiment.h"

using namespace moe;
using namespace moe::test;
namespace fs = std::filesystem;

namespace {

struct Ran {
  Outcome outcome;
  std::vector<std::string> said;
};

/// Trains on a short text, kept beside the results.
Ran run(const fs::path& folder, int jobs = 2, nlohmann::json file = tinyExperiment()) {
  Ran ran;
  std::string text;
  for (int i = 0; i < 60; ++i) text += i % 3 ? "the yard is full of trains. " : "one two three four five. ";
  const fs::path source = folder / "yard.txt";
  writeText(source, text);
  file["set"]["data.source"] = source.string();
  RunnerSettings settings;
  settings.folder = folder;
  settings.jobs = jobs;
  settings.progress = [&](const std::string& sentence) { ran.said.push_back(sentence); };
  const Experiment experiment = experimentFromJson(file, "tiny");
  ran.outcome = runExperiments({&experiment, 1}, settings).at(0);
  return ran;
}

std::vector<fs::path> resultsIn(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  return files;
}

bool equal(const ArmResult& a, const ArmResult& b) { return a.values == b.values && a.validation == b.validation; }

/// An experiment whose results are made up: two arms, two seeds.
Outcome madeUp(double first, double second) {
  Outcome outcome{experimentFromJson(tinyExperiment(), "tiny"), {3, 4}, {}, {}};
  for (int arm = 0; arm < 3; ++arm) {
    auto& seeds = outcome.results.emplace_back();
    for (const double loss : {first, second})
      seeds.push_back({{{"validation_loss", loss * (arm + 1)}}, {{0, 4.0}, {3, 2.0}}, 1});
  }
  return outcome;
}

Band bandOn(const std::string& arm) {
  Band band;
  band.says = "It is so";
  band.of = band.other = {arm, "validation_loss"};
  return band;
}

}  // namespace

class RunnerTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void whatIsDoneIsNotDoneAgainAndTheNumbersAreTheSame() {
    const TemporaryFolder folder;
    const Ran first = run(folder.path());
    QCOMPARE(first.said.size(), std::size_t{6});
    QCOMPARE(resultsIn(folder.path()).size(), std::size_t{6});
    const Ran second = run(folder.path());
    QCOMPARE(second.said.size(), std::size_t{0});
    fs::remove(resultsIn(folder.path())[0]);
    const Ran third = run(folder.path(), 1);
    QCOMPARE(third.said.size(), std::size_t{1});
    for (std::size_t arm = 0; arm < 3; ++arm)
      for (std::size_t seed = 0; seed < 2; ++seed)
        for (const Ran* again : {&second, &third})
          QVERIFY(equal(first.outcome.results[arm][seed], again->outcome.results[arm][seed]));
  }
  void theNumbersDoNotDependOnHowManyRunAtATime() {
    const TemporaryFolder one, three;
    const Outcome a = run(one.path(), 1).outcome, b = run(three.path(), 3).outcome;
    for (std::size_t arm = 0; arm < 3; ++arm)
      for (std::size_t seed = 0; seed < 2; ++seed) QVERIFY(equal(a.results[arm][seed], b.results[arm][seed]));
    QVERIFY(!equal(a.results[0][0], a.results[0][1]));  // seeds differ, and arms
    QVERIFY(!equal(a.results[0][0], a.results[1][0]));
  }
  void oneConfigurationIsTrainedOnceHoweverItIsCalled() {
    const TemporaryFolder folder;
    nlohmann::json file = tinyExperiment();
    file["arms"].push_back({{"name", "the same as aux"}, {"preset", "collapse"}, {"set", file["arms"][1]["set"]}});
    file["arms"][3]["set"]["balance.0.kind"] = "load";
    const Ran ran = run(folder.path(), 2, file);
    QCOMPARE(ran.said.size(), std::size_t{6});
    QVERIFY(equal(ran.outcome.results[1][0], ran.outcome.results[3][0]));
  }
  void anAlteredSettingIsTrainedAnew() {
    const TemporaryFolder folder;
    run(folder.path());
    nlohmann::json file = tinyExperiment();
    file["arms"][0]["set"]["select.k"] = 1;
    file["arms"][0]["set"]["weigh.kind"] = "score";
    QCOMPARE(run(folder.path(), 2, file).said.size(), std::size_t{2});
  }
  void whatOnlyExpertLayersHaveIsAbsentFromADenseArm() {
    const TemporaryFolder folder;
    const Outcome outcome = run(folder.path()).outcome;
    QVERIFY(outcome.values("twin", "max_vio_global").empty());
    QCOMPARE(outcome.values("aux", "max_vio_global").size(), std::size_t{2});
    QCOMPARE(outcome.values("twin", "validation_loss@3").size(), std::size_t{2});
    QVERIFY(outcome.values("twin", "active_parameters")[0] > 0);
    const std::string sentence = sentenceOf([&] {
      Band band = bandOn("twin");
      band.of.measure = "max_vio_global";
      judge(outcome, band);
    });
    QVERIFY2(sentence.find("twin has no max_vio_global") != std::string::npos, sentence.c_str());
  }
  void aGrownArmBeginsWhereItsDenseArmEnded() {
    const TemporaryFolder folder;
    nlohmann::json file = tinyExperiment();
    file["set"].erase("model.dense_layers");
    file["arms"] = {{{"name", "none"}, {"preset", "dense"}, {"set", {{"model.dense.hidden", 12}}}},
                    {{"name", "aux"}, {"preset", "upcycling"}, {"grown_from", "none"}}};
    const Outcome outcome = run(folder.path(), 2, file).outcome;
    for (std::size_t seed = 0; seed < 2; ++seed)
      QVERIFY(std::abs(outcome.values("aux", "validation_loss@0")[seed] -
                       outcome.values("none", "validation_loss")[seed]) < 1e-5);
    // The dense arm's checkpoint is missed only by those that grow from it.
    for (const auto& entry : fs::directory_iterator(folder.path()))
      if (entry.is_directory()) fs::remove_all(entry.path());
    QCOMPARE(run(folder.path(), 2, file).said.size(), std::size_t{2});
  }
  void aResultThatIsNoneIsRefusedByName() {
    const TemporaryFolder folder;
    run(folder.path());
    const fs::path file = resultsIn(folder.path())[0];
    const std::string whole = readText(file);
    for (const std::string& text : {whole.substr(0, whole.size() / 2), std::string("[]"), std::string("{}"),
                                    "{\"key\": \"" + std::string(16, '0') + "\"}"}) {
      writeText(file, text);
      const std::string sentence = sentenceOf([&] { run(folder.path()); });
      QVERIFY2(sentence.find(file.filename().string()) != std::string::npos, sentence.c_str());
    }
  }
  void aRemovalIsMeasuredWhereThereAreSharedExperts() {
    const TemporaryFolder folder;
    nlohmann::json file = tinyExperiment();
    file["arms"][0]["set"]["combine.shared"] = {{"count", 1}, {"hidden", 4}};
    const Outcome outcome = run(folder.path(), 2, file).outcome;
    for (const char* measure : {"rise_without_shared", "rise_without_routed", "rise_without_worst_routed"}) {
      QCOMPARE(outcome.values("none", measure).size(), std::size_t{2});
      QVERIFY(outcome.values("aux", measure).empty());
    }
    QVERIFY(outcome.values("none", "rise_without_worst_routed")[0] >= outcome.values("none", "rise_without_routed")[0]);
  }

  void aBandHoldsForEverySeedOrForTheirMean() {
    const Outcome outcome = madeUp(1, 3);
    Band band = bandOn("none");
    band.atMost = 2;
    QVERIFY(!judge(outcome, band).holds);
    band.reading = Band::Reading::mean;
    QVERIFY(judge(outcome, band).holds);
    band.atLeast = 2;
    QVERIFY(judge(outcome, band).holds);  // the ends belong to it
    band.atLeast = 2.1, band.atMost = 4;
    QVERIFY(!judge(outcome, band).holds);
  }
  void aBandMayStandAgainstAnotherArmOfTheSameSeed() {
    const Outcome outcome = madeUp(1, 3);
    Band band = bandOn("aux");  // twice the first arm's
    band.other.arm = "none";
    band.against = Band::Against::minus;
    QCOMPARE(judge(outcome, band).values, (std::vector<double>{1, 3}));
    band.against = Band::Against::over;
    band.atLeast = band.atMost = 2;
    QCOMPARE(judge(outcome, band).values, (std::vector<double>{2, 2}));
    QVERIFY(judge(outcome, band).holds);
  }
  void aMeanMayBeBoundByHowFarAnArmsSeedsAreApart() {
    const Outcome outcome = madeUp(1, 1.5);  // "aux" has twice these: the means are 1.25 apart, its seeds 1
    Band band = bandOn("aux");
    band.other.arm = "none";
    band.against = Band::Against::minus;
    band.reading = Band::Reading::mean;
    band.withinSeedsOf = "aux";
    QCOMPARE(judge(outcome, band).seedsApart, 1.0);
    QVERIFY(!judge(outcome, band).holds);
    band.withinSeedsOf = "twin";  // 1.5 apart
    QVERIFY(judge(outcome, band).holds);
    std::swap(band.of.arm, band.other.arm);  // -1.25: the way does not matter
    QVERIFY(judge(outcome, band).holds);
    QCOMPARE(measuredText(judge(outcome, band), band), std::string("-1.2500 (-1.5000 to -1.0000); seeds 1.5000 apart"));
    QVERIFY(!judge(madeUp(1, std::nan("")), band).holds);
  }
  void whatLacksItsTextIsNotTriedAndTheReportSaysSo() {
    const TemporaryFolder folder;
    nlohmann::json file = tinyExperiment();
    file["text"] = "far.txt";
    file["set"].erase("data.source");
    const Experiment experiment = experimentFromJson(file, "tiny");
    RunnerSettings settings;
    settings.folder = folder.path();
    for (const fs::path& texts : {fs::path(), folder.path()}) {
      settings.texts = texts;
      const Outcome outcome = runExperiments({&experiment, 1}, settings).at(0);
      QVERIFY(outcome.lacks.find("far.txt") != std::string::npos);
      QVERIFY(outcome.results.empty());
      const QString text = QString::fromStdString(reportOf({&outcome, 1}, {"c", "m", "d"}));
      QVERIFY(text.contains("0 of 0 bands hold"));
      QVERIFY(text.contains("| – | not tried: it needs the text far.txt"));
      QVERIFY(text.contains("--data far.txt"));
    }
    std::string yard;
    for (int i = 0; i < 60; ++i) yard += "the yard is full of trains. ";
    writeText(folder / "far.txt", yard);
    QCOMPARE(runExperiments({&experiment, 1}, settings).at(0).results.size(), std::size_t{3});
  }
  void anArmsOwnNumberTypeStandsInItsCommand() {
    nlohmann::json file = tinyExperiment();
    file["arms"][1]["set"]["dtype"] = "bf16";
    const Experiment experiment = experimentFromJson(file, "tiny");
    const std::string one = commandOf(experiment, experiment.arms[0]), two = commandOf(experiment, experiment.arms[1]);
    QVERIFY(one.find("--dtype f32") != std::string::npos);
    QVERIFY(two.find("--dtype bf16") != std::string::npos && two.find("dtype=") == std::string::npos &&
            two.find("f32") == std::string::npos);
  }
  void noNumberHoldsInNoBand() {
    const Outcome outcome = madeUp(std::nan(""), 1);
    Band band = bandOn("none");
    for (const auto reading : {Band::Reading::eachSeed, Band::Reading::mean}) {
      band.reading = reading;
      band.atMost = 1e300;
      QVERIFY(!judge(outcome, band).holds);
      band.atMost.reset();
      band.atLeast = -1e300;
      QVERIFY(!judge(outcome, band).holds);
    }
  }
  void theReportSaysWhatWasExpectedMeasuredAndHowToDoIt() {
    Outcome outcome = madeUp(1, 3);
    outcome.experiment.bands[0].says = "a | b";
    const QString text =
        QString::fromStdString(reportOf({&outcome, 1}, {"switchyard-cli experiments", "a machine", "2001-02-03"}));
    for (const char* piece :
         {"switchyard-cli experiments", "a machine", "2001-02-03", "1 of 2 bands hold", "Somebody 1999",
          "The term evens the load", "| aux | 4.0000 (2.0000 to 6.0000) | 2.0000 | – | – |", "a \\| b",
          "0 to 6, every seed", "at most 0.5, mean of the seeds", "**does not appear**", "| holds |",
          "1.00 (0.50 to 1.50)", "seeds 3, 4",
          "switchyard-cli train --preset collapse --set 'data.source=builtin:domains'"})
      QVERIFY2(text.contains(piece), qPrintable(QString(piece) + " is not in\n" + text));
    // Every row of a table has as many cells as its head.
    int cells = 0;
    for (const QString& line : text.split('\n')) {
      if (!line.startsWith('|')) {
        cells = 0;
        continue;
      }
      QString plain = line;
      const auto bars = plain.replace("\\|", "").count('|');
      QVERIFY2(cells == 0 || bars == cells, qPrintable(line));
      cells = static_cast<int>(bars);
    }
  }
};
SWITCHYARD_TEST(RunnerTest)
#include "runner_test.moc"
