// Parts held still and let go again while a run trains.
#include "core/session/training_session.h"

#include "core/formats/checkpoint.h"
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

/// What is there now, through a checkpoint.
TrainingState stateOf(SessionListener& session) {
  session.post(command::SaveCheckpoint{});
  const std::int64_t before = session.count(RunEvent::Kind::checkpoint);
  session.until([&] { return session.count(RunEvent::Kind::checkpoint) > before; });
  TrainingState state;
  session.withStore(
      [&](RunStore& store) { state = loadCheckpoint(store.checkpoints(session.status.run).back().path).state; });
  return state;
}

/// Names of the parameters whose bits differ, for experts "layer bank expert".
bool moved(const TrainingState& before, const TrainingState& after, const std::string& name, int expert = -1,
           int experts = 1) {
  for (std::size_t i = 0; i < before.parameters.size(); ++i) {
    if (before.parameters[i].name != name) continue;
    const std::span<float> then = before.parameters[i].tensor.span<float>(),
                           now = after.parameters[i].tensor.span<float>();
    const std::size_t each = then.size() / static_cast<std::size_t>(experts);
    const std::size_t from = expert < 0 ? 0 : each * static_cast<std::size_t>(expert),
                      until = expert < 0 ? then.size() : from + each;
    return !std::equal(then.begin() + static_cast<std::ptrdiff_t>(from),
                       then.begin() + static_cast<std::ptrdiff_t>(until),
                       now.begin() + static_cast<std::ptrdiff_t>(from));
  }
  qFatal("%s: no such parameter", name.c_str());
}

}  // namespace

class FreezingWhileTrainingTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void frozenFromTheNextStepOnThawedFromTheNextStepOn() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 40), .paused = true});
    QVERIFY(step(session, 3));
    const TrainingState start = stateOf(session);
    session.post(command::SetKnob{"train.freeze", "router"});
    QVERIFY(step(session, 2));
    const TrainingState frozen = stateOf(session);
    QVERIFY(!moved(start, frozen, "layers.0.router.weight"));
    QVERIFY(moved(start, frozen, "layers.0.experts.up"));
    session.post(command::UndoKnob{});
    QVERIFY(step(session, 2));
    QVERIFY(moved(frozen, stateOf(session), "layers.0.router.weight"));
    QVERIFY(session.problems.empty());
  }
  void oneExpertFrozenIsFrozenAfterAReopeningAndUnderItsNewNumberInAChild() {
    const test::TemporaryFolder folder;
    RunId run = 0;
    {
      SessionListener session(folder / "runs.db");
      session.post(command::Start{.config = tinyRun(folder, 40), .paused = true});
      QVERIFY(step(session, 3));
      session.post(command::SetKnob{"train.frozen_experts", R"(["0:2"])"});
      QVERIFY(step(session, 1));
      run = session.status.run;
      QVERIFY(session.problems.empty());
    }
    SessionListener session(folder / "runs.db");
    session.post(command::Open{.run = run});
    QVERIFY(session.untilState(State::paused));
    const TrainingState opened = stateOf(session);
    QVERIFY(step(session, 3));
    const TrainingState later = stateOf(session);
    QVERIFY(!moved(opened, later, "layers.0.experts.up", 2, 4));
    QVERIFY(moved(opened, later, "layers.0.experts.up", 1, 4));
    session.post(command::OperateExperts{ExpertSurgery{.kind = ExpertSurgery::Kind::remove, .expert = 0}});
    QVERIFY(session.until([&] { return session.status.run != run; }));
    QCOMPARE(session.status.config->train.frozenExperts, (std::vector<ExpertPlace>{{0, 1}}));
    const TrainingState child = stateOf(session);
    QVERIFY(step(session, 2));
    const TrainingState grown = stateOf(session);
    QVERIFY(!moved(child, grown, "layers.0.experts.up", 1, 3));
    QVERIFY(moved(child, grown, "layers.0.experts.up", 2, 3));
    session.post(command::SetKnob{"train.frozen_experts", "[]"});
    QVERIFY(step(session, 2));
    QVERIFY(moved(grown, stateOf(session), "layers.0.experts.up", 1, 3));
    QVERIFY(session.problems.empty());
  }
};
SWITCHYARD_TEST(FreezingWhileTrainingTest)
#include "freezing_while_training_test.moc"
