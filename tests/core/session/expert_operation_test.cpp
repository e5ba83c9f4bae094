// Experts added and removed while a run trains: the child goes on, the parent stays.
#include "core/session/stored_runs.h"
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

command::OperateExperts added(int layer = ExpertSurgery::kAllLayers) { return {ExpertSurgery{.layer = layer}}; }

command::OperateExperts removed(int expert, int layer = ExpertSurgery::kAllLayers) {
  return {ExpertSurgery{.kind = ExpertSurgery::Kind::remove, .layer = layer, .expert = expert}};
}

/// So many steps, one command each; ends paused.
bool step(SessionListener& session, int steps) {
  const std::int64_t until = session.status.step + steps;
  for (int i = 0; i < steps; ++i) session.post(command::StepOnce{});
  return session.untilSteps(until);
}

/// Posts what forks the run, and waits for the child.
bool fork(SessionListener& session, Command command) {
  const RunId parent = session.status.run;
  const std::size_t problems = session.problems.size();
  session.post(std::move(command));
  return session.until([&] { return session.status.run != parent || session.problems.size() > problems; }) &&
         session.status.run != parent;
}

/// The sentence that refuses it.
std::string refusal(SessionListener& session, Command command) {
  const std::size_t before = session.problems.size();
  session.post(std::move(command));
  session.until([&] { return session.problems.size() > before; });
  return session.problems.size() > before ? session.problems.back() : std::string();
}

std::vector<int> expertsOf(const RunConfig& config) {
  std::vector<int> counts;
  for (const LayerConfig& layer : config.model.layers) counts.push_back(layer.recipe.experts.count);
  return counts;
}

std::string weightsAt(const test::TemporaryFolder& folder, RunId run, int step) {
  const auto path = checkpointFolder(folder / "runs.db", run) / ("step-" + std::to_string(step));
  return test::readText(path / "model.safetensors") + test::readText(path / "optimizer.safetensors");
}

/// The preset's recipe in the tiny model.
RunConfig tinyRunWith(const char* preset, const test::TemporaryFolder& folder, std::int64_t steps) {
  RunConfig config = tinyRun(folder, steps);
  const RunConfig like = runConfigOfPreset(preset);
  for (LayerConfig& layer : config.model.layers) {
    layer.recipe = like.model.layers.back().recipe;
    layer.recipe.experts.count = 4;
    layer.recipe.experts.hidden = {6};
  }
  return config;
}

}  // namespace

class ExpertOperationTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void addedWhileItPlaysTheChildGoesOnAtOnceAndTheParentStays() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    RunConfig config = tinyRun(folder, 1'000'000);
    config.train.checkpointEvery = 0;  // the first stays while it plays on
    session.post(command::Start{.config = config});
    QVERIFY(session.untilSteps(6));
    const RunId parent = session.status.run;
    QVERIFY(fork(session, added()));
    const RunId child = session.status.run;
    QCOMPARE(session.started.size(), std::size_t{2});
    const std::int64_t at = session.started[1].parentStep;
    QVERIFY(at >= 6);
    QVERIFY(session.untilSteps(at + 5));
    QVERIFY(session.status.state == State::training);
    QCOMPARE(expertsOf(*session.status.config), (std::vector<int>{5, 5}));
    session.post(command::Pause{});
    QVERIFY(session.untilState(State::paused));
    // Every step of either run came out once, in order, the child's with five experts.
    std::int64_t ofParent = 0, ofChild = at;
    for (const StepPoint& point : session.points) {
      QCOMPARE(point.step, ++(point.run == child ? ofChild : ofParent));
      for (const LayerPoint& layer : point.layers) QCOMPARE(layer.load.size(), std::size_t(point.run == child ? 5 : 4));
    }
    QCOMPARE(ofParent, at);
    QCOMPARE(session.count(Kind::forked, child), std::int64_t{1});
    session.withStore([&](RunStore& store) {
      const RunSummary summary = store.run(child);
      QCOMPARE(summary.parent, parent);
      QCOMPARE(summary.parentStep, at);
      QVERIFY(store.run(parent).state == RunSummary::State::paused);
      QCOMPARE(store.points(parent).size(), static_cast<std::size_t>(at));
      QCOMPARE(store.points(child).size(), static_cast<std::size_t>(ofChild - at));
      QCOMPARE(store.points(child).front().step, at + 1);
      QCOMPARE(store.checkpoints(parent).back().step, at);
      const CheckpointRow first = store.checkpoints(child).front();
      QCOMPARE(first.step, at);
      QVERIFY(first.healthy);
      QCOMPARE(expertsOf(loadCheckpoint(first.path).config), (std::vector<int>{5, 5}));
      const auto events = store.events(child);
      QVERIFY(events.front().kind == Kind::forked);
      QCOMPARE(events.front().step, at);
      QVERIFY(events.front().text.find("Forked from run " + std::to_string(parent)) == 0);
    });
    QVERIFY(session.problems.empty());
  }
  void theParentCanBeTakenUpAgainAsIfNothingHadBeen() {
    const test::TemporaryFolder folder, whole;
    {
      SessionListener session(whole / "runs.db");
      session.post(command::Start{.config = tinyRun(whole, 12)});
      QVERIFY(session.untilState(State::finished));
    }
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 12), .paused = true});
    QVERIFY(step(session, 7));
    const RunId parent = session.status.run;
    QVERIFY(fork(session, removed(2)));
    QVERIFY(step(session, 2));
    QCOMPARE(expertsOf(*session.status.config), (std::vector<int>{3, 3}));
    session.post(command::Open{.run = parent, .paused = false});
    QVERIFY(session.until([&] { return session.status.run == parent && session.status.state == State::finished; }));
    QCOMPARE(expertsOf(*session.status.config), (std::vector<int>{4, 4}));
    QVERIFY(session.until([&] { return !weightsAt(folder, parent, 12).empty(); }));
    session.withStore([&](RunStore& store) { QCOMPARE(store.points(parent).size(), std::size_t{12}); });
    QVERIFY(weightsAt(folder, parent, 12) == weightsAt(whole, 1, 12));
  }
  void closedAndOpenedTheChildGoesOnBitByBit_data() {
    QTest::addColumn<bool>("removing");
    QTest::newRow("one added to one layer") << false;
    QTest::newRow("one removed from all") << true;
  }
  void closedAndOpenedTheChildGoesOnBitByBit() {
    QFETCH(bool, removing);
    const auto trained = [&](const test::TemporaryFolder& folder, bool closing) -> std::string {
      RunId child = 0;
      {
        SessionListener session(folder / "runs.db");
        session.post(command::Start{.config = tinyRun(folder, 19), .paused = true});
        if (!step(session, 7) || !fork(session, removing ? removed(0) : added(1)) || !step(session, 4))
          return "not forked";
        child = session.status.run;
        if (!closing) {
          session.post(command::Play{});
          if (!session.untilState(State::finished)) return "not finished";
        }
      }
      if (closing) {
        SessionListener session(folder / "runs.db");
        session.post(command::Open{.run = child, .paused = false});
        if (!session.untilState(State::finished)) return "not finished again";
        session.withStore([&](RunStore& store) { QCOMPARE(store.points(child).size(), std::size_t{12}); });
      }
      return weightsAt(folder, child, 19);
    };
    const test::TemporaryFolder whole, cut;
    const std::string expected = trained(whole, false);
    QVERIFY(expected.size() > 1000);
    QVERIFY(trained(cut, true) == expected);
  }
  void theChildOfAChildKnowsItsOwnParent() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 40), .paused = true});
    QVERIFY(step(session, 3));
    QVERIFY(fork(session, added(0)));
    QVERIFY(step(session, 3));
    const RunId child = session.status.run;
    QVERIFY(fork(session, removed(4, 0)));
    QCOMPARE(session.started[2].parent, child);
    QCOMPARE(session.started[2].parentStep, std::int64_t{6});
    QCOMPARE(expertsOf(*session.status.config), (std::vector<int>{4, 4}));
    QVERIFY(step(session, 1));
    QVERIFY(session.problems.empty());
  }
  void theBusiestExpertCanBeRemoved() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 40), .paused = true});
    QVERIFY(step(session, 6));
    const std::vector<float>& load = session.points.back().layers[0].load;
    const auto busiest = static_cast<int>(std::ranges::max_element(load) - load.begin());
    QVERIFY(fork(session, removed(busiest, 0)));
    QVERIFY(step(session, 2));
    QCOMPARE(session.points.back().layers[0].load.size(), std::size_t{3});
    QCOMPARE(session.points.back().layers[1].load.size(), std::size_t{4});
    QVERIFY(std::isfinite(session.points.back().loss));
  }
  void whatDoesNotFitIsRefusedWithASentenceAndTheRunPlaysOn() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    QVERIFY(refusal(session, added()).find("no run") != std::string::npos);
    session.post(command::Start{.config = tinyRun(folder, 1'000'000), .paused = true});
    QVERIFY(session.untilState(State::paused));
    QVERIFY(refusal(session, added()).find("No step has been counted") != std::string::npos);
    QVERIFY(step(session, 3));
    QVERIFY(fork(session, removed(3)));
    QVERIFY(fork(session, removed(0)));
    const RunId two = session.status.run;
    const std::string below = refusal(session, removed(0));  // k is 2
    QVERIFY2(below.find("select.k") != std::string::npos && below.find("1") != std::string::npos, below.c_str());
    QVERIFY(refusal(session, removed(7)).find("no 7") != std::string::npos);
    QVERIFY(refusal(session, removed(0, 9)).find("Layer 9") != std::string::npos);
    QCOMPARE(session.status.run, two);
    QVERIFY(step(session, 2));
    QCOMPARE(session.status.step, std::int64_t{5});
    QCOMPARE(session.started.size(), std::size_t{3});
  }
  void hashedLayersGetATableForTheirNewNumberAndKeepItOverAReopening() {
    const auto trained = [&](bool closing) -> std::string {
      const test::TemporaryFolder folder;
      RunId child = 0;
      {
        SessionListener session(folder / "runs.db");
        session.post(command::Start{.config = tinyRunWith("hash_layer", folder, 14), .paused = true});
        if (!step(session, 3) || !fork(session, added()) || !step(session, 4)) return "not forked";
        child = session.status.run;
        for (const LayerPoint& layer : session.points.back().layers) {
          if (layer.load.size() != 5) return "no fifth expert";
          if (std::ranges::max(layer.load) > 0.9) return "one has it all";
        }
        if (!closing) session.post(command::Play{});
        if (!closing && !session.untilState(State::finished)) return "not finished";
      }
      if (closing) {
        SessionListener session(folder / "runs.db");
        session.post(command::Open{.run = child, .paused = false});
        if (!session.untilState(State::finished)) return "not finished again";
      }
      return weightsAt(folder, child, 14);
    };
    const std::string whole = trained(false);
    QVERIFY2(whole.size() > 1000, whole.c_str());
    QVERIFY(trained(true) == whole);
  }
  void expertsThatChooseStayBalancedInTheChild() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    RunConfig config = tinyRunWith("expert_choice", folder, 40);
    config.train.batch = 10;  // 60 tokens: a whole number an expert for four and for five
    session.post(command::Start{.config = config, .paused = true});
    QVERIFY(step(session, 3));
    QVERIFY(fork(session, added()));
    QVERIFY(step(session, 3));
    for (const LayerPoint& layer : session.points.back().layers) {
      QCOMPARE(layer.load.size(), std::size_t{5});
      QCOMPARE(layer.maxVio, 0.0F);
    }
    QVERIFY(fork(session, removed(1)));
    QVERIFY(step(session, 3));
    for (const LayerPoint& layer : session.points.back().layers) QCOMPARE(layer.maxVio, 0.0F);
    QVERIFY(session.problems.empty());
  }
  void tokensAreSentToTheNewOneForTheStepsOfItsColdStart() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    session.post(command::Start{.config = tinyRun(folder, 40), .paused = true});
    QVERIFY(step(session, 3));
    QVERIFY(fork(session, command::OperateExperts{
                              ExpertSurgery{.from = ExpertSurgery::From::fresh, .fraction = 1, .steps = 4}}));
    const auto& force = session.status.config->model.layers[0].recipe.select.force;
    QVERIFY(force.has_value());
    QCOMPARE(force->steps, std::int64_t{7});
    QVERIFY(step(session, 6));
    for (std::size_t i = 3; i < session.points.size(); ++i) {
      const float share = session.points[i].layers[0].load[4];  // of a slot in two
      QVERIFY2((share >= 0.5F) == (session.points[i].step <= 7), std::to_string(share).c_str());
    }
  }
  void anAlertOnTheNewExpertDuringItsColdStartTakesTheRunBackToWhereItWasAdded() {
    const test::TemporaryFolder folder;
    SessionListener session(folder / "runs.db");
    RunConfig config = tinyRun(folder, 60);
    config.train.checkpointEvery = 0;
    config.train.learningRate = 0;  // a router that does not move gives a fresh expert with no weights nothing
    config.alerts = {.threshold = 0.6, .clears = 0.6, .window = 4};
    session.post(command::Start{.config = config, .paused = true});
    QVERIFY(step(session, 3));  // the window is not yet full
    QVERIFY(fork(session, command::OperateExperts{
                              ExpertSurgery{.from = ExpertSurgery::From::fresh, .fraction = 0.01, .steps = 50}}));
    const RunId child = session.status.run;
    session.post(command::SetKnob{"alerts.restart.retries", "1"});
    QVERIFY(step(session, 3));
    QVERIFY(session.status.alerts.empty());  // old loads, of four experts, do not count
    session.post(command::StepOnce{});
    QVERIFY(session.until([&] { return session.count(Kind::alertRaised, child) > 0 && session.status.run != child; }));
    const RunSummary& again = session.started.back();
    QCOMPARE(again.parent, child);
    QCOMPARE(again.parentStep, std::int64_t{3});
    QCOMPARE(expertsOf(*session.status.config), (std::vector<int>{5, 5}));
    QVERIFY(session.status.config->model.layers[0].recipe.select.force.has_value());
    QVERIFY(step(session, 2));
    QCOMPARE(session.points.back().layers[0].load.size(), std::size_t{5});
  }
};
SWITCHYARD_TEST(ExpertOperationTest)
#include "expert_operation_test.moc"
