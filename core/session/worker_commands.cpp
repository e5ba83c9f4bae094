#include <algorithm>
#include <utility>

#include "core/base/error.h"
#include "core/session/checkpoints.h"
#include "core/session/worker.h"

namespace moe {

namespace {

/// Knobs of the optimiser follow in the twin, so that the race stays fair; the recipe's mean nothing to a dense model.
bool twinFollows(const std::string& path) {
  if (path == "threads" || path == "backend") return true;
  return path.starts_with("train.") && path != "train.freeze" && path != "train.frozen_experts";
}

}  // namespace

void Worker::carryOut(const command::Start& start) {
  PreparedRun prepared = prepare(start.config);
  const RunConfig config = prepared.config;
  const std::string beginning = beginningOf(prepared);
  const std::int64_t heldBytes = prepared.dense ? bytesOf(prepared.dense->state) : 0;
  RunSummary first = summaryOf(prepared);
  first.parent = start.parent;
  first.parentStep = start.parentStep;
  replaceBy(
      [&] {
        auto run = makeRun(std::move(prepared), std::move(first));
        publish(run->begin(run->eventOf(RunEvent::Kind::started, beginning)));
        return run;
      },
      config, !start.paused, heldBytes);
}

void Worker::carryOut(const command::StartTwin&) {
  checkRun();
  if (twin_) throw Error("session", "the dense model is training beside this run already");
  RunConfig config = run_->config();
  config.model = denseTwin(config);
  config.startFrom = {};
  config.train.freeze = TrainConfig::Freeze::none;  // of a router and experts that it has not
  config.train.frozenExperts.clear();
  config.label = (config.label.empty() ? config.preset : config.label) + ", dense twin";
  PreparedRun prepared = prepare(config, true);
  RunSummary first = summaryOf(prepared);
  alone_ = false;
  twin_ = makeRun(std::move(prepared), std::move(first));
  publish(twin_->begin(twin_->eventOf(RunEvent::Kind::started, "Started beside run " + std::to_string(run_->id()) +
                                                                   ": the dense model of equal active parameters.")));
  if (run_->finished()) play(true);
}

void Worker::carryOut(const command::CloseTwin&) { close(twin_); }

void Worker::carryOut(const command::Open& open) {
  if (run_ && run_->id() == open.run) return play(!open.paused && !run_->finished());
  if (twin_ && twin_->id() == open.run) close(twin_);
  CheckpointRow row;
  Checkpoint checkpoint = newestOf(open.run, row);
  if (!recorder_.ask([&](RunStore& store) { return isNewest(store, row); })) {
    // Newer ones cannot be read; they stay, and so does the run as it is.
    RunEvent event;
    event.kind = RunEvent::Kind::forked;
    event.text = "Went on from the checkpoint of step " + std::to_string(row.step) + " of run " +
                 std::to_string(open.run) + ", as newer ones cannot be read.";
    checkpoint.run = open.run;
    return forkFrom({std::move(checkpoint), std::move(event)}, !open.paused);
  }
  PreparedRun prepared = prepare(checkpoint);
  const RunConfig config = prepared.config;
  recorder_.ask([&](RunStore& store) { store.claim(open.run); });  // refused before the present run ends for it
  replaceBy(
      [&] {
        recorder_.ask([&](RunStore& store) { rewindRun(store, row); });
        auto past = recorder_.ask([&](RunStore& store) { return store.events(open.run); });
        RunSummary stored = recorder_.ask([&](RunStore& store) { return store.run(open.run); });
        auto run = makeRun(std::move(prepared), std::move(stored), std::filesystem::path(row.path).parent_path());
        run->restore(checkpoint, past);
        const auto rows = recorder_.ask([&](RunStore& store) { return store.checkpoints(open.run); });
        hasHealthy_ = std::any_of(rows.begin(), rows.end(), [](const CheckpointRow& other) { return other.healthy; });
        const RunEvent event = run->eventOf(RunEvent::Kind::restored,
                                            "Continued from the checkpoint of step " + std::to_string(row.step) + ".");
        run->record(event);
        publish(event);
        return run;
      },
      config, !open.paused, bytesOf(checkpoint.state));
  if (run_) moveTo(run_->config().backend);  // where that knob was turned at the checkpoint's own step
}

void Worker::carryOut(const command::Play&) {
  checkRun();
  checkMore();
  failed_ = false;
  message_.clear();
  play(true);
}

void Worker::carryOut(const command::Pause&) { play(false); }

void Worker::carryOut(const command::StepOnce&) {
  checkRun();
  checkMore();
  const int asked = playing_ ? 0 : singleSteps_;
  play(false);
  failed_ = false;
  message_.clear();
  singleSteps_ = asked + 1;
}

void Worker::carryOut(const command::Restart&) {
  checkRun();
  const RunSummary& now = run_->summary();
  const bool grown = !run_->config().startFrom.checkpoint.empty();
  carryOut(command::Start{
      .config = run_->config(), .parent = grown ? now.parent : 0, .parentStep = grown ? now.parentStep : 0});
}

void Worker::carryOut(const command::SetKnob& knob) {
  checkRun();
  if (knob.path == "backend") {
    RunConfig wanted = run_->config();
    setByPath(wanted, knob.path, knob.value);
    moveTo(wanted.backend);
  }
  if (const auto event = run_->setKnob(knob.path, knob.value)) publish(*event);
  if (twin_ && twinFollows(knob.path))
    if (const auto event = twin_->setKnob(knob.path, knob.value)) publish(*event);
  inquiries_.runChanged();
}

void Worker::carryOut(const command::UndoKnob&) {
  checkRun();
  const auto event = run_->undoKnob();
  if (!event) throw Error("session", "no knob was turned in this run, so there is nothing to undo");
  publish(*event);
  if (event->path == "backend") {
    try {
      moveTo(run_->config().backend);
    } catch (const std::exception&) {
      run_->setKnob("backend", backendOptions_.name);  // where it still computes
      throw;
    }
  }
  if (twin_ && twinFollows(event->path))
    if (const auto followed = twin_->setKnob(event->path, event->newValue)) publish(*followed);
  inquiries_.runChanged();
}

void Worker::carryOut(const command::SetPace& pace) {
  fluid_ = pace.fluid;
  statusChanged_ = true;
  if (run_) carryOut(command::SetKnob{"threads", std::to_string(threadsAt(fluid_))});
}

void Worker::carryOut(const command::Extend& extend) {
  carryOut(command::SetKnob{"train.steps", std::to_string(extend.steps)});
  for (const RunInTraining* run : runs())
    if (!run->finished())
      recorder_.setState(run->id(), playing_ ? RunSummary::State::running : RunSummary::State::paused);
}

void Worker::carryOut(const command::Probe& probe) { inquiries_.probe(probe); }

void Worker::carryOut(const command::ProbeStored& probe) {
  try {
    inquiries_.probeStored(
        probe, [this](const RunConfig& config) -> Backend& { return backend_ ? *backend_ : prepareBackend(config); });
  } catch (const std::exception& problem) {
    auto answer = std::make_shared<TextRouting>();
    answer->request = probe.request;
    answer->text = probe.text;
    answer->problem = problem.what();
    out_.put([&](Outbox& box) { box.probe = answer; });
  }
}

void Worker::carryOut(const command::Generate& generate) {
  checkRun();
  inquiries_.generate(generate, *run_);
}

void Worker::carryOut(const command::StopGenerating&) { inquiries_.stopGenerating(); }

void Worker::carryOut(const command::SaveCheckpoint& save) {
  checkRun();
  if (run_->id() < 0) {
    std::string reason = recorder_.problem();
    if (reason.empty()) reason = "nothing is recorded in this session";
    throw Error("session",
                "expected a recorded run to keep a checkpoint of, found one that is not recorded: " + reason);
  }
  run_->saveCheckpoint(save.pin);
}

void Worker::carryOut(const command::RestoreHealthy& restore) {
  checkRun();
  forkFrom(healthyFork(*run_, recorder_, restore.moreDropout), true);
}

void Worker::carryOut(const command::OperateExperts& operation) {
  checkRun();
  if (failed_) throw Error("session", "the run failed amid a step; go back to a healthy checkpoint first");
  Fork fork{run_->checkpoint(), {}};
  const std::string what =
      operate(fork.checkpoint.config, fork.checkpoint.state, fork.checkpoint.watch, operation.surgery);
  fork.event.kind = RunEvent::Kind::forked;
  fork.event.text =
      "Forked from run " + std::to_string(run_->id()) + " at step " + std::to_string(run_->stepsDone()) + ": " + what;
  forkFrom(std::move(fork), playing_);
}

}  // namespace moe
