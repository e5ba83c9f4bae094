#include "core/store/run_store.h"

#include <sys/stat.h>

#include "core/base/error.h"
#include "tests/support/register.h"
#include "tests/support/stored_points.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

namespace {

std::unique_ptr<RunStore> storeIn(const TemporaryFolder& folder) {
  return RunStore::open(folder / "runs.db", RunStore::Access::write);
}

RunSummary someRun(const std::string& name) {
  RunSummary run;
  run.name = name;
  run.note = "a note; with 'quotes' and ä";
  run.preset = "collapse";
  run.config = R"({"seed": 1})";
  run.seed = 0xfedcba9876543210;
  run.targetSteps = 1000;
  run.totalParameters = 4'600'000;
  run.activeParameters = 1'200'000;
  return run;
}

RunEvent eventOf(RunId run, std::int64_t step, RunEvent::Kind kind) {
  RunEvent event;
  event.run = run;
  event.step = step;
  event.kind = kind;
  return event;
}

}  // namespace

class RunStoreTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aRunComesBackAsItWasMade() {
    const TemporaryFolder folder;
    RunId id = 0;
    {
      const auto store = storeIn(folder);
      id = store->createRun(someRun("first"));
      store->createRun(someRun("second"));
    }
    const auto store = storeIn(folder);
    QCOMPARE(store->runs().size(), std::size_t{2});
    const RunSummary run = store->run(id);
    QCOMPARE(run.name, std::string("first"));
    QCOMPARE(run.note, someRun("").note);
    QCOMPARE(run.preset, std::string("collapse"));
    QCOMPARE(run.config, someRun("").config);
    QCOMPARE(run.seed, someRun("").seed);
    QCOMPARE(run.targetSteps, std::int64_t{1000});
    QCOMPARE(run.totalParameters, std::int64_t{4'600'000});
    QCOMPARE(run.activeParameters, std::int64_t{1'200'000});
    QVERIFY(!run.trainLoss && !run.validationLoss);
    QVERIFY(QRegularExpression("^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\dZ$")
                .match(QString::fromStdString(run.created))
                .hasMatch());
  }
  void aRunWhoseWriterEndedWithoutAWordIsInterrupted() {
    const TemporaryFolder folder;
    RunId left = 0, paused = 0;
    {
      const auto store = storeIn(folder);
      left = store->createRun(someRun("left"));
      paused = store->createRun(someRun("paused"));
      store->setState(paused, RunSummary::State::paused);
      StepPoint point;
      point.step = 7;
      store->append(left, std::span(&point, 1));
      QVERIFY(store->run(left).state == RunSummary::State::running);
    }
    // A reader changes nothing; the next writer does.
    QVERIFY(RunStore::open(folder / "runs.db", RunStore::Access::readOnly)->run(left).state ==
            RunSummary::State::running);
    const auto store = storeIn(folder);
    QVERIFY(store->run(left).state == RunSummary::State::interrupted);
    QCOMPARE(store->run(left).steps, std::int64_t{7});
    QVERIFY(store->run(paused).state == RunSummary::State::paused);
  }
  void changesOfARunStay() {
    const TemporaryFolder folder;
    const auto store = storeIn(folder);
    const RunId run = store->createRun(someRun("first"));
    store->setName(run, "new name");
    store->setNote(run, "");
    store->setState(run, RunSummary::State::finished);
    store->setTargetSteps(run, 5000);
    const RunSummary found = store->run(run);
    QCOMPARE(found.name, std::string("new name"));
    QCOMPARE(found.note, std::string());
    QVERIFY(found.state == RunSummary::State::finished);
    QCOMPARE(found.targetSteps, std::int64_t{5000});
    const std::string said = sentenceOf([&] { store->setName(99, "x"); });
    QVERIFY2(said.find("expected run 99, found none") != std::string::npos, said.c_str());
    QVERIFY_EXCEPTION_THROWN(store->run(99), Error);
    QVERIFY_EXCEPTION_THROWN(store->append(99, pointsFrom(1, 1)), Error);
    QVERIFY_EXCEPTION_THROWN(store->append(eventOf(99, 1, RunEvent::Kind::note)), Error);
  }
  void theNewestLossesAndStepsStandInTheSummary() {
    const TemporaryFolder folder;
    const auto store = storeIn(folder);
    const RunId run = store->createRun(someRun("first"));
    store->append(run, pointsFrom(1, 250));
    QCOMPARE(store->run(run).steps, std::int64_t{250});
    QCOMPARE(store->run(run).trainLoss, std::optional<double>(pointAt(250).loss));
    QCOMPARE(store->run(run).validationLoss, pointAt(200).validationLoss);
    store->truncate(run, 150);
    QCOMPARE(store->run(run).steps, std::int64_t{150});
    QCOMPARE(store->run(run).trainLoss, std::optional<double>(pointAt(150).loss));
    QCOMPARE(store->run(run).validationLoss, pointAt(100).validationLoss);
  }
  void deletingARunTakesAllOfItAndItsNumberIsNeverUsedAgain() {
    const TemporaryFolder folder;
    const auto store = storeIn(folder);
    const RunId kept = store->createRun(someRun("kept")), gone = store->createRun(someRun("gone"));
    store->append(gone, pointsFrom(1, 300));
    store->append(kept, pointsFrom(1, 3));
    store->append(eventOf(gone, 1, RunEvent::Kind::note));
    store->recordCheckpoint({.run = gone, .step = 0, .path = "p"});
    store->deleteRun(gone);
    QCOMPARE(store->runs().size(), std::size_t{1});
    QVERIFY(store->points(gone).empty() && store->events(gone).empty() && store->checkpoints(gone).empty());
    QVERIFY(store->loads(gone, 0, INT64_MAX, 10).empty());
    QVERIFY(same(store->points(kept), pointsFrom(1, 3)));
    QVERIFY(store->createRun(someRun("next")) > gone);
    QVERIFY_EXCEPTION_THROWN(store->deleteRun(gone), Error);
  }
  void eventsComeBackInOrderAndAlertsAreCounted() {
    const TemporaryFolder folder;
    const auto store = storeIn(folder);
    const RunId run = store->createRun(someRun("first"));
    RunEvent raised = eventOf(run, 60, RunEvent::Kind::alertRaised), knob = eventOf(run, 40, RunEvent::Kind::knob);
    raised.layer = 2;
    raised.expert = 5;
    raised.utilization = 0.03;
    raised.text = "dead";
    knob.path = "balance.0.coefficient";
    knob.oldValue = "0";
    knob.newValue = "0.01";
    store->append(raised);
    store->append(knob);
    for (int kind = 0; kind <= static_cast<int>(RunEvent::Kind::note); ++kind)
      store->append(eventOf(run, 100 + kind, static_cast<RunEvent::Kind>(kind)));
    const std::vector<RunEvent> events = store->events(run);
    QCOMPARE(events[0].path, knob.path);
    QCOMPARE(events[0].oldValue, knob.oldValue);
    QCOMPARE(events[0].newValue, knob.newValue);
    QCOMPARE(events[1].layer, 2);
    QCOMPARE(events[1].expert, 5);
    QCOMPARE(events[1].utilization, 0.03);
    QCOMPARE(events[1].text, std::string("dead"));
    for (int kind = 0; kind <= static_cast<int>(RunEvent::Kind::note); ++kind)
      QCOMPARE(static_cast<int>(events[static_cast<std::size_t>(kind) + 2].kind), kind);
    QCOMPARE(store->run(run).alerts, std::int64_t{2});
    store->truncate(run, 50);
    QCOMPARE(store->events(run).size(), std::size_t{1});
  }
  void checkpointsAreListedPinnedAndForgotten() {
    const TemporaryFolder folder;
    const auto store = storeIn(folder);
    const RunId run = store->createRun(someRun("first"));
    store->recordCheckpoint({.run = run, .step = 100, .path = "/b", .healthy = true, .bytes = 77});
    store->recordCheckpoint({.run = run, .step = 0, .path = "/a"});
    store->setPinned(run, 0, true);
    const auto all = store->checkpoints(run);
    QCOMPARE(all.size(), std::size_t{2});
    QVERIFY(all[0].step == 0 && all[0].pinned && !all[0].healthy && all[0].path == "/a");
    QVERIFY(all[1].step == 100 && !all[1].pinned && all[1].healthy && all[1].bytes == 77);
    store->removeCheckpoint(run, 0);
    QCOMPARE(store->checkpoints(run).size(), std::size_t{1});
  }
  void settingsAreRemembered() {
    const TemporaryFolder folder;
    storeIn(folder)->setSetting("probe", "the cat");
    const auto store = storeIn(folder);
    QCOMPARE(store->setting("probe"), std::string("the cat"));
    QCOMPARE(store->setting("other"), std::string());
    store->setSetting("probe", "");
    QCOMPARE(store->setting("probe"), std::string());
  }
  void whatIsNoRegularFileIsRefusedAtOnceHoweverItIsOpened() {
    const TemporaryFolder folder;
    QCOMPARE(::mkfifo((folder / "pipe").c_str(), 0600), 0);
    for (const auto& [name, kind] :
         {std::pair(folder / "pipe", "a named pipe"), std::pair(std::filesystem::path("/dev/null"), "a device"),
          std::pair(folder.path(), "a folder")})
      for (const auto access : {RunStore::Access::write, RunStore::Access::shared, RunStore::Access::readOnly})
        QCOMPARE(sentenceOf([&] { RunStore::open(name, access); }),
                 "[store] " + name.string() + ": expected a run store, found " + kind + "; choose a regular file");
  }
  void checkpointFoldersLieBesideTheStore() {
    QCOMPARE(checkpointFolder("/data/switchyard/runs.db", 7), std::filesystem::path("/data/switchyard/runs/7"));
    qputenv("XDG_DATA_HOME", "/somewhere");
    QCOMPARE(defaultStorePath(), std::filesystem::path("/somewhere/switchyard/runs.db"));
    qputenv("XDG_DATA_HOME", "");
    qputenv("HOME", "/home/ada");
    QCOMPARE(defaultStorePath(), std::filesystem::path("/home/ada/.local/share/switchyard/runs.db"));
    // Not the working folder, where nobody would look for it again: the account's own home.
    for (const char* none : {"", "relative"}) {
      qputenv("HOME", none);
      QVERIFY(defaultStorePath().is_absolute());
    }
    qunsetenv("HOME");
    QVERIFY(defaultStorePath().is_absolute());
    QVERIFY(defaultStorePath().string().ends_with("/.local/share/switchyard/runs.db"));
  }
};
SWITCHYARD_TEST(RunStoreTest)
#include "run_store_test.moc"
