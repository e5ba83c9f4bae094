// Back to the last healthy checkpoint with more expert dropout, by the policy of alerts.restart and by hand.
#include "core/session/training_session.h"

#include "core/formats/checkpoint.h"
#include "tests/support/register.h"
#include "tests/support/session_listener.h"

using namespace moe;
using test::SessionListener;
using test::tinyRun;
using Kind = RunEvent::Kind;
using State = SessionStatus::State;

namespace {

/// Some expert of a tiny run is always below nine tenths of its fair share: an alert as soon as the window is full.
RunConfig dyingRun(const test::TemporaryFolder& folder, std::int64_t steps, int retries) {
  RunConfig config = tinyRun(folder, steps);
  config.alerts = {.threshold = 0.9, .clears = 0.95, .window = 8, .restarts = retries, .dropoutStep = 0.2};
  return config;
}

double dropoutOf(const RunConfig& config) { return config.model.layers[0].recipe.combine.expertDropout; }

/// The first step at which an alert of the run was raised; 0: none.
std::int64_t alertOf(const SessionListener& session, RunId run) {
  for (const RunEvent& event : session.events)
    if (event.run == run && event.kind == Kind::alertRaised) return event.step;
  return 0;
}

const RunEvent* eventOf(const std::vector<RunEvent>& events, Kind kind) {
  const auto found = std::ranges::find(events, kind, &RunEvent::kind);
  return found == events.end() ? nullptr : &*found;
}

}  // namespace

class AutomaticRestartTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void eachAlertGoesBackWithMoreDropoutUntilTheRetriesAreUsedUpAndThenItTrainsOn() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = dyingRun(folder, 60, 2)});
    QVERIFY(session.untilState(State::finished));
    QCOMPARE(session.started.size(), std::size_t{3});
    const RunId first = session.started[0].id, second = session.started[1].id, third = session.started[2].id;
    // The window fills at 8; the newest healthy checkpoint is that of step 5.
    QCOMPARE(alertOf(session, first), std::int64_t{8});
    QCOMPARE(session.started[1].parent, first);
    QCOMPARE(session.started[1].parentStep, std::int64_t{5});
    // A restarted run is judged by its own steps alone: what the experts did before it cannot damn it at once.
    QCOMPARE(alertOf(session, second), std::int64_t{13});
    QCOMPARE(session.started[2].parent, second);
    QCOMPARE(session.started[2].parentStep, std::int64_t{10});
    QCOMPARE(alertOf(session, third), std::int64_t{18});
    QCOMPARE(session.status.run, third);
    QCOMPARE(session.status.step, std::int64_t{60});
    QCOMPARE(dropoutOf(*session.status.config), 0.4);
    QVERIFY2(session.status.message.find("2 restarts, the limit") != std::string::npos, session.status.message.c_str());
    QCOMPARE(session.count(Kind::note, third), std::int64_t{1});  // said once, however many alerts follow
    session.withStore([&](RunStore& store) {
      QVERIFY(store.run(first).state == RunSummary::State::paused);
      QVERIFY(store.run(second).state == RunSummary::State::paused);
      QVERIFY(store.run(third).state == RunSummary::State::finished);
      const auto events = store.events(second);
      QVERIFY(events.front().kind == Kind::forked);
      QCOMPARE(events.front().path, std::string("combine.expert_dropout"));
      QCOMPARE(events.front().oldValue, std::string("0"));
      QCOMPARE(events.front().newValue, std::string("0.2"));
      QVERIFY(events.front().text.find("Automatic restart 1 of 2.") != std::string::npos);
      const auto later = store.events(third);
      QVERIFY(later.front().text.find("Automatic restart 2 of 2.") != std::string::npos);
      const RunEvent* note = eventOf(later, Kind::note);
      QVERIFY(note);
      QCOMPARE(note->step, std::int64_t{18});
      QVERIFY(note->text.find("[") == std::string::npos);
      QCOMPARE(loadCheckpoint(store.checkpoints(third).back().path).watch.restarts, 2);
    });
    QVERIFY(session.problems.empty());
  }
  void withoutRetriesAnAlertIsOnlyAnAlert() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = dyingRun(folder, 14, 0)});
    QVERIFY(session.untilState(State::finished));
    QCOMPARE(session.started.size(), std::size_t{1});
    QVERIFY(session.count(Kind::alertRaised) > 0);
    QCOMPARE(session.count(Kind::note), std::int64_t{0});
    QVERIFY(session.status.message.empty());
  }
  void aRunThatIsSteppedByHandWaitsForTheNextStepAfterTheRestartToo() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = dyingRun(folder, 60, 1), .paused = true});
    for (int i = 0; i < 8; ++i) session.post(command::StepOnce{});
    QVERIFY(session.until([&] { return session.started.size() == 2 && session.status.run == session.started[1].id; }));
    session.post(command::StepOnce{});
    QVERIFY(session.untilSteps(6));
    QVERIFY(session.untilState(State::paused));
    QCOMPARE(session.status.step, std::int64_t{6});
  }
  void closedAndOpenedItCountsItsRestartsAndKeepsItsDropout() {
    const test::TemporaryFolder folder;
    RunId second = 0;
    {
      SessionListener session(folder / "runs.db");
      session.post(command::Start{.config = dyingRun(folder, 60, 1), .paused = true});
      for (int i = 0; i < 8; ++i) session.post(command::StepOnce{});
      QVERIFY(
          session.until([&] { return session.started.size() == 2 && session.status.run == session.started[1].id; }));
      second = session.status.run;
      session.post(command::StepOnce{});
      QVERIFY(session.untilSteps(6));
    }
    SessionListener session(folder / "runs.db");
    session.post(command::Open{.run = second});
    QVERIFY(session.until([&] { return session.status.run == second; }));
    QCOMPARE(session.status.step, std::int64_t{6});
    QCOMPARE(dropoutOf(*session.status.config), 0.2);
    session.post(command::Play{});
    QVERIFY(session.untilState(State::finished));
    QCOMPARE(session.status.run, second);  // one restart was all it had
    QCOMPARE(alertOf(session, second), std::int64_t{13});
    QCOMPARE(session.count(Kind::note), std::int64_t{1});
    QVERIFY(session.problems.empty());
  }
  void whereNoCheckpointIsHealthyItSaysSoAndTrainsOn() {
    const test::TemporaryFolder folder;
    SessionListener session{std::filesystem::path()};  // nothing is recorded, so there is none
    session.post(command::Start{.config = dyingRun(folder, 14, 3)});
    QVERIFY(session.untilState(State::finished));
    QCOMPARE(session.started.size(), std::size_t{1});
    QVERIFY2(session.status.message.find("cannot be restarted") != std::string::npos, session.status.message.c_str());
    QVERIFY(session.status.message.find("[") == std::string::npos);
  }
  void aDamagedCheckpointIsPassedOverForTheHealthyOneBeforeIt() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 60), .paused = true});
    for (int i = 0; i < 6; ++i) session.post(command::StepOnce{});
    QVERIFY(session.untilSteps(6));
    QVERIFY(session.until([&] { return session.count(Kind::checkpoint) == 2; }));
    const RunId first = session.status.run;
    test::writeText(checkpointFolder(folder / "runs.db", first) / "step-5" / "model.safetensors", "no weights");
    session.post(command::RestoreHealthy{});
    QVERIFY(session.until([&] { return session.started.size() == 2 && session.status.run == session.started[1].id; }));
    QCOMPARE(session.started[1].parentStep, std::int64_t{0});
  }
  void byHandItGoesBackWithTheDropoutAskedForAndAgainFromThere() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 60), .paused = true});
    QVERIFY(session.untilState(State::paused));
    for (int i = 0; i < 7; ++i) session.post(command::StepOnce{});
    QVERIFY(session.untilSteps(7));
    QVERIFY(session.until([&] { return session.status.hasHealthyCheckpoint; }));
    session.post(command::Extend{.steps = 90});  // a wish about the future, which going back does not undo
    for (int times = 1; times <= 2; ++times) {
      const RunId before = session.status.run;
      session.post(command::RestoreHealthy{.moreDropout = 0.5});
      session.post(command::Pause{});
      QVERIFY(session.until([&] { return session.status.run != before && session.status.state == State::paused; }));
      QCOMPARE(session.started.back().parent, before);
      QCOMPARE(dropoutOf(*session.status.config), times == 1 ? 0.5 : 0.9);  // 0.9 is the most
      QCOMPARE(session.status.targetSteps, std::int64_t{90});
    }
    session.post(command::RestoreHealthy{.moreDropout = 1});
    QVERIFY(session.until([&] { return !session.problems.empty(); }));
    QVERIFY(session.problems.back().find("below 1") != std::string::npos);
  }
};
SWITCHYARD_TEST(AutomaticRestartTest)
#include "automatic_restart_test.moc"
