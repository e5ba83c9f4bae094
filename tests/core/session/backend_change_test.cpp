// A run that goes on on another backend while it trains.
#include "core/backend/backend.h"
#include "core/session/training_session.h"

#include <cmath>

#include "tests/support/cuda_host.h"
#include "tests/support/register.h"
#include "tests/support/session_listener.h"

using namespace moe;
using test::SessionListener;
using test::tinyRun;
using State = SessionStatus::State;

namespace {

bool step(SessionListener& session, int steps) {
  const std::int64_t until = session.status.step + steps;
  for (int i = 0; i < steps; ++i) session.post(command::StepOnce{});
  return session.untilSteps(until);
}

RunConfig onProcessor(const test::TemporaryFolder& folder) {
  RunConfig config = tinyRun(folder, 40);
  config.backend = "onednn";
  return config;
}

bool computesOn(SessionListener& session, const std::string& backend) {
  return session.until([&] { return session.status.backend.starts_with(backend + ","); });
}

}  // namespace

class BackendChangeTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aRunGoesOnOnAnotherBackendFromTheNextStepAndBack() {
#ifdef __SANITIZE_THREAD__
    QSKIP("the threads of a GPU's block are fibers on the host, which the thread sanitizer cannot follow");
#endif
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db"), stayed(folder / "stayed.db");
    for (SessionListener* each : {&session, &stayed}) {
      each->post(command::Start{.config = onProcessor(folder), .paused = true});
      QVERIFY(step(*each, 3));
    }
    session.post(command::SetKnob{"backend", "cuda-host"});
    QVERIFY(computesOn(session, "cuda-host"));
    QVERIFY(step(session, 3));
    session.post(command::UndoKnob{});
    QVERIFY(computesOn(session, "onednn"));
    QVERIFY(step(session, 2));
    session.post(command::SetKnob{"backend", "reference"});
    QVERIFY(computesOn(session, "reference"));
    QVERIFY(step(session, 2));
    QVERIFY(step(stayed, 7));
    QVERIFY(session.problems.empty());
    QCOMPARE(session.points.size(), stayed.points.size());
    for (std::size_t i = 0; i < session.points.size(); ++i)
      QVERIFY(std::abs(session.points[i].loss - stayed.points[i].loss) <= 1e-5 * stayed.points[i].loss);
    QCOMPARE(session.count(RunEvent::Kind::knob), std::int64_t{2});  // its marks on the time axis
    QCOMPARE(session.count(RunEvent::Kind::undo), std::int64_t{1});
    QCOMPARE(session.started.size(), std::size_t{1});
  }
  void aMoveWithoutAStepBehindItIsSavedToo() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = onProcessor(folder), .paused = true});
    QVERIFY(step(session, 3));
    const RunId run = session.status.run;
    session.post(command::SetKnob{"backend", "reference"});
    QVERIFY(computesOn(session, "reference"));
    session.post(command::Start{.config = onProcessor(folder), .paused = true});
    QVERIFY(session.until([&] { return session.status.run != run && session.status.run != 0; }));
    session.post(command::Open{.run = run, .paused = true});
    QVERIFY(session.until([&] { return session.status.run == run; }));
    QCOMPARE(session.status.step, std::int64_t{3});
    QVERIFY(session.status.backend.starts_with("reference,"));
  }
  void theTwinGoesAlong() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = onProcessor(folder), .paused = true});
    QVERIFY(step(session, 2));
    session.post(command::StartTwin{});
    QVERIFY(session.until([&] { return session.status.twin != 0; }));
    session.post(command::SetKnob{"backend", "reference"});
    QVERIFY(computesOn(session, "reference"));
    QVERIFY(step(session, 2));
    QVERIFY(session.problems.empty());
    QCOMPARE(session.count(RunEvent::Kind::knob, session.status.twin), std::int64_t{1});
  }
  void whereItCannotBeHadTheRunTrainsOn() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = onProcessor(folder), .paused = true});
    QVERIFY(step(session, 2));
    session.post(command::SetKnob{"backend", "abacus"});
    QVERIFY(session.until([&] { return !session.problems.empty(); }));
    QVERIFY2(session.problems[0].find("found abacus") != std::string::npos, session.problems[0].c_str());
    QVERIFY(computesOn(session, "onednn"));
    QVERIFY(step(session, 2));
    QCOMPARE(session.count(RunEvent::Kind::knob), std::int64_t{0});
  }
};
SWITCHYARD_TEST(BackendChangeTest)
#include "backend_change_test.moc"
