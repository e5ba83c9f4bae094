// Runs grown out of a dense run's checkpoint, and what becomes of them without it.
#include "core/formats/checkpoint.h"
#include "core/session/stored_runs.h"
#include "core/session/training_session.h"
#include "tests/support/register.h"
#include "tests/support/session_listener.h"

using namespace moe;
using test::SessionListener;
using test::tinyRun;
using Kind = RunEvent::Kind;
using State = SessionStatus::State;

namespace {

RunConfig denseRun(const test::TemporaryFolder& folder, std::int64_t steps) {
  RunConfig config = tinyRun(folder, steps);
  for (LayerConfig& layer : config.model.layers) layer.hasExperts = false;
  return config;
}

std::filesystem::path stepOf(const test::TemporaryFolder& folder, RunId run, int step) {
  return checkpointFolder(folder / "runs.db", run) / ("step-" + std::to_string(step));
}

bool step(SessionListener& session, int steps) {
  const std::int64_t until = session.status.step + steps;
  for (int i = 0; i < steps; ++i) session.post(command::StepOnce{});
  return session.untilSteps(until) && session.untilState(State::paused);
}

bool open(SessionListener& session, RunId run) {
  session.post(command::Open{.run = run});
  return session.until([&] { return session.status.run == run && session.status.state == State::paused; });
}

/// A dense run of seven steps, and one grown out of its checkpoint of step 5, two steps old.
RunId grow(SessionListener& session, const test::TemporaryFolder& folder) {
  session.post(command::Start{.config = denseRun(folder, 1000), .paused = true});
  if (!session.untilState(State::paused) || !step(session, 7)) return 0;
  if (!session.until([&] { return session.count(Kind::checkpoint) == 2; })) return 0;
  const RunId dense = session.status.run;
  const RunConfig grown =
      grownFromDense(tinyRun(folder, 1000), *session.status.config, stepOf(folder, dense, 5).string());
  session.post(command::Start{.config = grown, .parent = dense, .parentStep = 5, .paused = true});
  if (!session.until([&] { return session.status.run != dense && session.status.state == State::paused; })) return 0;
  return step(session, 2) ? session.status.run : 0;
}

}  // namespace

class GrownRunTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theDenseCheckpointIsKeptAsLongAsTheGrownRunIs() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    const RunId grown = grow(session, folder), dense = session.started[0].id;
    QVERIFY(grown);
    QVERIFY(open(session, dense));
    QVERIFY(step(session, 23));  // checkpoints of 10, 15, 20, 25 and 30: five and ten newer than the one in need
    session.withStore([&](RunStore& store) {
      std::vector<std::int64_t> steps;
      for (const CheckpointRow& row : store.checkpoints(dense)) steps.push_back(row.step);
      QCOMPARE(steps, (std::vector<std::int64_t>{5, 20, 25, 30}));
    });
    QVERIFY(std::filesystem::exists(stepOf(folder, dense, 5)));
    session.withStore([&](RunStore& store) { deleteRun(store, grown); });
    QVERIFY(step(session, 5));
    session.withStore([](RunStore&) {});
    QVERIFY(!std::filesystem::exists(stepOf(folder, dense, 5)));
    QVERIFY(session.problems.empty());
  }
  void withoutItTheGrownRunGoesOnFromItsOwnCheckpoints() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    const RunId grown = grow(session, folder), dense = session.started[0].id;
    QVERIFY(grown);
    QVERIFY(open(session, dense));
    std::filesystem::remove_all(stepOf(folder, dense, 5));
    QVERIFY(open(session, grown));
    QCOMPARE(session.status.step, std::int64_t{2});
    QVERIFY(step(session, 1));
    QVERIFY(session.problems.empty());
    // From step 0 it cannot begin again: a sentence, and it stays as it is.
    session.post(command::Restart{});
    QVERIFY(session.until([&] { return !session.problems.empty(); }));
    QVERIFY2(session.problems.back().find("dense model") != std::string::npos, session.problems.back().c_str());
    QVERIFY(session.problems.back().find("step-5") != std::string::npos);
    QCOMPARE(session.status.run, grown);
    QVERIFY(step(session, 1));
    QCOMPARE(session.status.step, std::int64_t{4});
  }
  void aDenseCheckpointThatIsNotThereOrNotOneIsRefusedAtTheStart() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    for (const char* name : {"gone", "empty", "runs.db"}) {
      if (std::string(name) == "empty") std::filesystem::create_directory(folder / "empty");
      const std::size_t before = session.problems.size();
      session.post(
          command::Start{.config = grownFromDense(tinyRun(folder, 9), denseRun(folder, 9), (folder / name).string())});
      QVERIFY(session.until([&] { return session.problems.size() > before; }));
      QVERIFY2(session.problems.back().find(name) != std::string::npos, session.problems.back().c_str());
    }
    QVERIFY(session.started.empty());
    session.withStore([](RunStore& store) { QVERIFY(store.runs().empty()); });
  }
};
SWITCHYARD_TEST(GrownRunTest)
#include "grown_run_test.moc"
