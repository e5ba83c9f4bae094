#include "core/session/training_session.h"

#include <cmath>
#include <mutex>

#include "core/formats/checkpoint.h"
#include "tests/support/register.h"
#include "tests/support/session_listener.h"
#include "tests/support/write_limit.h"

using namespace moe;
using test::SessionListener;
using test::tinyRun;
using Kind = RunEvent::Kind;
using State = SessionStatus::State;

class TrainingSessionTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aRunPlaysToItsEndAndEverythingIsInTheStore() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 12)});
    QVERIFY(session.untilState(State::finished));
    QCOMPARE(session.started.size(), std::size_t{1});
    const RunId run = session.started[0].id;
    QCOMPARE(session.status.run, run);
    QCOMPARE(session.points.size(), std::size_t{12});
    for (std::size_t i = 0; i < 12; ++i) {
      QCOMPARE(session.points[i].step, static_cast<std::int64_t>(i + 1));
      QCOMPARE(session.points[i].run, run);
      QVERIFY(session.points[i].tokensPerSecond > 0);
    }
    QVERIFY(session.points[11].validationLoss.has_value());
    QCOMPARE(session.count(Kind::started), std::int64_t{1});
    QCOMPARE(session.count(Kind::finished), std::int64_t{1});
    // Step 0, 5, 10 and the last: of the four, the newest three stay.
    QVERIFY(session.until([&] { return session.count(Kind::checkpoint) == 4; }));
    session.withStore([&](RunStore& store) {
      QCOMPARE(store.points(run).size(), std::size_t{12});
      QVERIFY(store.run(run).state == RunSummary::State::finished);
      const auto rows = store.checkpoints(run);
      QCOMPARE(rows.size(), std::size_t{3});
      for (const CheckpointRow& row : rows) {
        QVERIFY(row.healthy);
        QVERIFY(row.bytes > 0);
        QCOMPARE(loadCheckpoint(row.path).state.step, row.step);
      }
    });
    QVERIFY(session.problems.empty());
    QVERIFY(session.status.storeProblem.empty());
  }
  void onAFullDiskItWaitsAndGoesOnByItselfWhenThereIsRoom() {
    const test::TemporaryFolder folder;
    RunConfig config = tinyRun(folder, 40);
    for (LayerConfig& layer : config.model.layers)
      layer.recipe.experts.count = 200;  // a checkpoint is larger than the store
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = config, .paused = true});
    QVERIFY(session.untilState(State::paused));
    QVERIFY(session.until([&] { return session.count(Kind::checkpoint) == 1; }));
    test::WriteLimit full(static_cast<rlim_t>(std::filesystem::file_size(folder / "runs.db")) + 100'000);
    session.post(command::Play{});
    QVERIFY(session.untilState(State::waiting));
    QVERIFY2(session.status.storeProblem.find("goes on by itself when there is room") != std::string::npos,
             session.status.storeProblem.c_str());
    full.lift();
    QVERIFY(session.untilState(State::finished));
    QVERIFY(session.until([&] { return session.status.storeProblem.empty(); }));
    session.withStore([&](RunStore& store) { QCOMPARE(store.points(session.status.run).size(), std::size_t{40}); });
    QVERIFY(session.problems.empty());
  }
  void pauseStepAndPlayTakeEffectAtTheNextStep() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 1'000'000), .paused = true});
    QVERIFY(session.untilState(State::paused));
    QCOMPARE(session.status.step, std::int64_t{0});
    session.post(command::StepOnce{});
    session.post(command::StepOnce{});
    QVERIFY(session.untilSteps(2));
    QVERIFY(session.untilState(State::paused));
    session.post(command::Play{});
    QVERIFY(session.untilSteps(20));
    session.post(command::Pause{});
    QVERIFY(session.untilState(State::paused));
    const std::size_t points = session.points.size();
    QCOMPARE(session.status.step, static_cast<std::int64_t>(points));
    session.post(command::StepOnce{});
    QVERIFY(session.until([&] { return session.points.size() == points + 1; }));
    QVERIFY(session.untilState(State::paused));
    QCOMPARE(session.count(Kind::resumed), std::int64_t{1});
    QCOMPARE(session.count(Kind::paused), std::int64_t{1});
  }
  void theThreadsChangeWhileItTrainsAndTheRunNotesIt() {
#ifdef __SANITIZE_THREAD__
    QSKIP("The team of OpenMP's threads looks like a race to the thread sanitizer.");
#endif
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    RunConfig config = tinyRun(folder, 1'000'000);
    config.backend = "onednn";
    config.threads = 1;
    session.post(command::Start{.config = config});
    QVERIFY(session.untilSteps(3));
    session.post(command::SetKnob{"threads", "2"});
    QVERIFY(session.until([&] { return session.status.backend == "onednn, f32, 2 threads"; }));
    QCOMPARE(session.status.config->threads, 2);
    QCOMPARE(session.count(Kind::knob), std::int64_t{1});
    QVERIFY(session.untilSteps(session.points.size() + 3));
    session.post(command::UndoKnob{});
    QVERIFY(session.until([&] { return session.status.backend == "onednn, f32, 1 thread"; }));
    session.post(command::SetPace{.fluid = false});
    QVERIFY(session.until([&] { return !session.status.fluid; }));
    QVERIFY(session.problems.empty());
  }
  void aKnobLeavesItsMarkAndUndoSetsItBackWithoutRewinding() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 100), .paused = true});
    for (int i = 0; i < 3; ++i) session.post(command::StepOnce{});
    QVERIFY(session.untilSteps(3));
    session.post(command::SetKnob{"balance.0.coefficient", "0.5"});
    QVERIFY(session.until([&] { return session.status.canUndo; }));
    QCOMPARE(session.status.config->model.layers[0].recipe.balance[0].coefficient, 0.5);
    session.post(command::StepOnce{});
    QVERIFY(session.untilSteps(4));
    session.post(command::UndoKnob{});
    QVERIFY(session.until([&] { return session.status.step == 4 && !session.status.canUndo; }));
    QCOMPARE(session.status.config->model.layers[0].recipe.balance[0].coefficient, 0.05);
    QCOMPARE(session.count(Kind::knob), std::int64_t{1});
    QCOMPARE(session.count(Kind::undo), std::int64_t{1});
    session.withStore([&](RunStore& store) {
      const auto events = store.events(session.status.run);
      const auto undo =
          std::find_if(events.begin(), events.end(), [](const RunEvent& e) { return e.kind == Kind::undo; });
      QVERIFY(undo != events.end());
      QCOMPARE(undo->step, std::int64_t{4});
      QCOMPARE(undo->oldValue, std::string("0.5"));
      QCOMPARE(undo->newValue, std::string("0.05"));
    });
  }
  void refusedCommandsComeBackAsSentences() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    const auto refusedWith = [&](Command command, const char* part) {
      const std::size_t before = session.problems.size();
      session.post(std::move(command));
      if (!session.until([&] { return session.problems.size() > before; })) return false;
      if (QString::fromStdString(session.problems.back()).contains(part)) return true;
      qWarning("%s", session.problems.back().c_str());
      return false;
    };
    QVERIFY(refusedWith(command::Play{}, "no run"));
    QVERIFY(refusedWith(command::Open{.run = 99}, "99"));
    RunConfig wrong = tinyRun(folder, 10);
    wrong.model.layers[0].attention.kvHeads = 3;
    QVERIFY(refusedWith(command::Start{.config = wrong}, "head"));
    RunConfig missing = tinyRun(folder, 10);
    missing.data.source = (folder / "nothing.txt").string();
    QVERIFY(refusedWith(command::Start{.config = missing}, "nothing.txt"));
    RunConfig vast = tinyRun(folder, 10);
    vast.model.width = 1 << 14;
    for (LayerConfig& layer : vast.model.layers)
      layer.recipe.experts.count = 512, layer.recipe.experts.hidden = {1 << 14};
    QVERIFY(refusedWith(command::Start{.config = vast}, "free"));
    RunConfig hungry = tinyRun(folder, 10);
    hungry.model.context = 1 << 14;
    QVERIFY(refusedWith(command::Start{.config = hungry}, "batch"));
    QVERIFY(session.started.empty());
    session.withStore([](RunStore& store) { QVERIFY(store.runs().empty()); });
    session.post(command::Start{.config = tinyRun(folder, 2)});
    QVERIFY(session.untilState(State::finished));
    QVERIFY(refusedWith(command::SetKnob{"model.width", "64"}, "model.width"));
    QVERIFY(refusedWith(command::SetKnob{"train.learning_rate", "-1"}, "Learning rate"));
    QVERIFY(refusedWith(command::UndoKnob{}, "undo"));
    QVERIFY(refusedWith(command::Play{}, "higher target"));
    QVERIFY(refusedWith(command::Extend{.steps = 1}, "steps are done"));
    session.post(command::Extend{.steps = 4});
    session.post(command::Play{});
    QVERIFY(session.untilSteps(4));
    QVERIFY(session.untilState(State::finished));
  }
  void closedAndOpenedItGoesOnBitByBit() {
    const test::TemporaryFolder folder, whole;
    const auto turn = command::SetKnob{"balance.0.coefficient", "0.3"};
    {
      SessionListener session(whole / "runs.db");
      session.post(command::Start{.config = tinyRun(whole, 14), .paused = true});
      for (int i = 0; i < 7; ++i) session.post(command::StepOnce{});
      QVERIFY(session.untilSteps(7));
      session.post(turn);
      session.post(command::Play{});
      QVERIFY(session.untilState(State::finished));
    }
    RunId run = 0;
    {
      SessionListener session(folder / "runs.db");
      session.post(command::Start{.config = tinyRun(folder, 14), .paused = true});
      for (int i = 0; i < 7; ++i) session.post(command::StepOnce{});
      QVERIFY(session.untilSteps(7));
      session.post(turn);
      QVERIFY(session.until([&] { return session.count(Kind::knob) == 1; }));
      run = session.status.run;
    }
    {
      SessionListener session(folder / "runs.db");
      session.post(command::Open{.run = run});
      QVERIFY(session.untilState(State::paused));
      QCOMPARE(session.status.step, std::int64_t{7});
      QCOMPARE(session.status.config->model.layers[0].recipe.balance[0].coefficient, 0.3);
      QVERIFY(session.status.canUndo);
      session.post(command::Play{});
      QVERIFY(session.untilState(State::finished));
      session.withStore([&](RunStore& store) { QCOMPARE(store.points(run).size(), std::size_t{14}); });
    }
    const auto weights = [&](const test::TemporaryFolder& in) {
      return test::readText(checkpointFolder(in / "runs.db", run) / "step-14" / "model.safetensors");
    };
    QVERIFY(!weights(whole).empty());
    QVERIFY(weights(whole) == weights(folder));
  }
  void aKnobTurnedAtTheCheckpointsOwnStepSurvivesTheCrash() {
    // The checkpoint of step 5 is written before the knob is turned at step 5; without the graceful last checkpoint the
    // event alone says so.
    const test::TemporaryFolder folder;
    RunId run = 0;
    {
      SessionListener session(folder / "runs.db");
      session.post(command::Start{.config = tinyRun(folder, 14), .paused = true});
      for (int i = 0; i < 5; ++i) session.post(command::StepOnce{});
      QVERIFY(session.untilSteps(5));
      QVERIFY(session.until([&] { return session.count(Kind::checkpoint) == 2; }));
      run = session.status.run;
      std::filesystem::copy(checkpointFolder(folder / "runs.db", run) / "step-5", folder / "kept",
                            std::filesystem::copy_options::recursive);
      session.post(command::SetKnob{"train.learning_rate", "0.125"});
      QVERIFY(session.until([&] { return session.status.canUndo; }));
    }
    const auto path = checkpointFolder(folder / "runs.db", run) / "step-5";
    std::filesystem::remove_all(path);
    std::filesystem::rename(folder / "kept", path);
    QVERIFY(loadCheckpoint(path).config.train.learningRate != 0.125);
    SessionListener session(folder / "runs.db");
    session.post(command::Open{.run = run});
    QVERIFY(session.untilState(State::paused));
    QCOMPARE(session.status.config->train.learningRate, 0.125);
  }
  void theTwinTrainsBesideOnTheSameDataAndSeed() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 6), .paused = true});
    session.post(command::StartTwin{});
    session.post(command::StartTwin{});
    session.post(command::Play{});
    QVERIFY(session.until([&] { return session.count(Kind::finished) == 2; }));
    QCOMPARE(session.started.size(), std::size_t{2});
    QCOMPARE(session.problems.size(), std::size_t{1});
    const RunId twin = session.started[1].id;
    QCOMPARE(session.status.twin, twin);
    // In turn: run, twin, run, twin ... each under its own number.
    for (std::size_t i = 0; i < session.points.size(); ++i) QCOMPARE(session.points[i].run == twin, i % 2 == 1);
    for (const StepPoint& point : session.points) QCOMPARE(point.layers.empty(), point.run == twin);
    session.post(command::CloseTwin{});
    QVERIFY(session.until([&] { return session.status.twin == 0; }));
  }
  void aLossThatIsNotFinitePausesTheSameStepAndAHealthyCheckpointTakesOver() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    RunConfig config = tinyRun(folder, 400);
    config.train.schedule = TrainConfig::Schedule::constant;
    config.train.weightDecay = 10;
    session.post(command::Start{.config = config, .paused = true});
    for (int i = 0; i < 6; ++i) session.post(command::StepOnce{});
    QVERIFY(session.untilSteps(6));
    QVERIFY(session.until([&] { return session.status.hasHealthyCheckpoint; }));
    // Decoupled decay multiplies the matrices by 1 - 10 * 10 each step: past the range of f32 in some twenty.
    session.post(command::SetKnob{"train.learning_rate", "10"});
    session.post(command::Play{});
    QVERIFY(session.until([&] { return session.count(Kind::notFinite) == 1; }));
    QVERIFY(session.untilState(State::paused));
    QVERIFY(session.status.message.find("finite") != std::string::npos);
    for (const StepPoint& point : session.points) QVERIFY(std::isfinite(point.loss));
    QCOMPARE(session.status.step, static_cast<std::int64_t>(session.points.size()));
    const RunId broken = session.status.run;
    session.post(command::RestoreHealthy{});
    session.post(command::Pause{});
    QVERIFY(session.until([&] { return session.started.size() == 2 && session.status.run == session.started[1].id; }));
    QVERIFY(session.untilState(State::paused));
    QCOMPARE(session.started[1].parent, broken);
    QVERIFY(session.started[1].parentStep >= 5);
    QVERIFY(session.status.message.empty());
    QCOMPARE(session.count(Kind::forked, session.started[1].id), std::int64_t{1});
    QVERIFY(session.status.config->train.learningRate < 10 || session.started[1].parentStep > 6);
  }
  void anAlertIsRaisedRecordedAndRaisedAgainAlikeAfterAReopening() {
    const auto alertsOf = [](bool reopened) {
      const test::TemporaryFolder folder;
      RunConfig config = tinyRun(folder, 40);
      config.alerts = {.threshold = 0.9, .clears = 0.95, .window = 8};
      RunId run = 0;
      std::string text;
      {
        SessionListener session(folder / "runs.db");
        session.post(command::Start{.config = config, .paused = reopened});
        for (int i = 0; reopened && i < 6; ++i) session.post(command::StepOnce{});
        if (!(reopened ? session.untilSteps(6) : session.untilState(State::finished))) return std::string("late");
        run = session.status.run;
      }
      SessionListener session(folder / "runs.db");
      session.post(command::Open{.run = run, .paused = false});
      session.untilState(State::finished);
      session.withStore([&](RunStore& store) {
        for (const RunEvent& event : store.events(run))
          if (event.kind == Kind::alertRaised || event.kind == Kind::alertCleared)
            text += std::to_string(event.step) + (event.kind == Kind::alertRaised ? "+" : "-") + event.text + "\n";
        QCOMPARE(store.run(run).alerts > 0, true);
      });
      return text;
    };
    const std::string whole = alertsOf(false), cut = alertsOf(true);
    QVERIFY(whole.starts_with("8+"));  // the window is full at step 8
    QCOMPARE(QString::fromStdString(cut), QString::fromStdString(whole));
  }
  void textsAreProbedAndContinuedWhileTrainingAndWhilePaused() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 1'000'000), .paused = true});
    session.post(command::Probe{.request = 1, .text = "the yard", .live = true});
    QVERIFY(session.until([&] { return session.probes.size() == 1; }));
    QCOMPARE(session.probes[0]->request, std::uint64_t{1});
    QCOMPARE(session.probes[0]->tokens.size(), std::size_t{6});  // the context
    session.post(command::Play{});
    QVERIFY(session.until([&] { return session.probes.size() >= 3; }));
    QVERIFY(session.probes.back()->step > session.probes.front()->step);
    session.post(command::Generate{.request = 2, .prompt = "the ", .settings = {.tokens = 9}});
    QVERIFY(session.until([&] { return !session.generations.empty() && session.generations.back()->complete; }));
    QCOMPARE(session.generations.back()->tokens.size(), std::size_t{13});
    session.post(command::Pause{});
    QVERIFY(session.untilState(State::paused));
    session.post(command::Generate{.request = 3, .prompt = "one", .settings = {.tokens = 4}});
    QVERIFY(session.until(
        [&] { return session.generations.back()->request == 3 && session.generations.back()->complete; }));
    QCOMPARE(session.generations.back()->step, session.status.step);
    const auto before = session.count(Kind::checkpoint);
    session.post(command::SaveCheckpoint{.pin = true});
    QVERIFY(session.until([&] { return session.count(Kind::checkpoint) > before; }));
    std::string path;
    session.withStore([&](RunStore& store) {
      for (const CheckpointRow& row : store.checkpoints(session.status.run))
        if (row.pinned) path = row.path;
    });
    QVERIFY(!path.empty());
    session.post(command::ProbeStored{.request = 4, .text = "the yard", .checkpoint = path});
    QVERIFY(session.until([&] { return session.probes.back()->request == 4; }));
    session.post(command::Probe{.request = 5, .text = "the yard", .live = false});
    QVERIFY(session.until([&] { return session.probes.back()->request == 5; }));
    const TextRouting &stored = *session.probes[session.probes.size() - 2], &live = *session.probes.back();
    QCOMPARE(stored.step, live.step);
    for (std::size_t t = 0; t < live.tokens.size(); ++t)
      for (std::size_t l = 0; l < live.tokens[t].layers.size(); ++l)
        QVERIFY(stored.tokens[t].layers[l].probabilities == live.tokens[t].layers[l].probabilities);
    session.post(command::ProbeStored{.request = 6, .text = "x", .checkpoint = (folder / "none").string()});
    QVERIFY(session.until([&] { return session.probes.back()->request == 6; }));
    QVERIFY(!session.probes.back()->problem.empty());
  }
  void lookingAtTextsChangesNothingOfTheTraining() {
    const auto weightsOf = [](bool looking) {
      const test::TemporaryFolder folder;
      SessionListener session(folder / "runs.db");
      session.post(command::Start{.config = tinyRun(folder, 8), .paused = true});
      for (int i = 0; i < 8; ++i) {
        if (looking) session.post(command::Probe{.request = 1, .text = "trains", .live = true});
        if (looking) session.post(command::Generate{.request = 2, .prompt = "full", .settings = {.tokens = 3}});
        session.post(command::StepOnce{});
        session.untilSteps(i + 1);
      }
      session.untilState(State::finished);
      std::string weights;
      session.withStore([&](RunStore& store) {
        weights = test::readText(std::filesystem::path(store.checkpoints(session.status.run).back().path) /
                                 "model.safetensors");
      });
      return weights;
    };
    const std::string quiet = weightsOf(false);
    QVERIFY(!quiet.empty());
    QVERIFY(weightsOf(true) == quiet);
  }
  void aStoreThatAnotherHoldsIsSaidAndTrainingGoesOn() {
    const test::TemporaryFolder folder;
    test::writeText(folder / "blocked", "a file where a folder would have to be");
    SessionListener session(folder / "blocked" / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 6)});
    QVERIFY(session.untilState(State::finished));
    QCOMPARE(session.points.size(), std::size_t{6});
    QVERIFY(!session.status.storeProblem.empty());
  }
  void withoutAStoreNothingIsRecordedAndNothingIsMissing() {
    const test::TemporaryFolder folder;
    SessionListener session{std::filesystem::path()};
    session.post(command::Start{.config = tinyRun(folder, 6)});
    QVERIFY(session.untilState(State::finished));
    QCOMPARE(session.points.size(), std::size_t{6});
    QVERIFY(session.status.storeProblem.empty());
    QVERIFY(session.status.run != 0);
  }
};
SWITCHYARD_TEST(TrainingSessionTest)
#include "training_session_test.moc"
