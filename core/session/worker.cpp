#include "core/session/worker.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "core/backend/backend.h"
#include "core/session/sentence.h"

namespace moe {

namespace {

constexpr auto kStatusInterval = std::chrono::milliseconds(30);

}  // namespace

Worker::Worker(const TrainingSession::Options& options, Mailbox& mailbox, OutTray& out, Recorder& recorder)
    : options_(options), mailbox_(mailbox), out_(out), recorder_(recorder), inquiries_(out), fluid_(options.fluid) {}

std::vector<RunInTraining*> Worker::runs() const {
  std::vector<RunInTraining*> list;
  if (run_) list.push_back(run_.get());
  if (twin_) list.push_back(twin_.get());
  return list;
}

bool Worker::allFinished() const {
  const std::vector<RunInTraining*> list = runs();
  return std::all_of(list.begin(), list.end(), [](const RunInTraining* run) { return run->finished(); });
}

void Worker::run() {
  recorder_.finish();  // the store is open, or has said why not
  while (!mailbox_.closed()) {
    takeReports();
    recordUnrecorded();
    recorder_.flush(!mayStep());
    publishStatus();
    carryOutAll(!mayStep() && !inquiries_.pending(run_.get()));
    if (mailbox_.closed()) break;
    try {
      const bool playing = playing_;
      if (mayStep()) stepRuns();
      if (collapsed_ || !mayStep() || inquiries_.due(run_.get(), mayStep())) settle();
      if (collapsed_) restartAfterCollapse(playing);
      inquiries_.turn(run_.get(), mayStep());
    } catch (const std::exception& problem) { fail(problem); }
  }
  settle();
  closeRuns();
  recorder_.finish();
  takeReports();
}

void Worker::carryOutAll(bool wait) {
  const std::vector<Command> commands = waiting_ ? mailbox_.take(wait, Recorder::kBetweenTries) : mailbox_.take(wait);
  if (!commands.empty()) settle();
  for (const Command& command : commands) {
    if (mailbox_.closed()) return;
    try {
      std::visit([this](const auto& value) { carryOut(value); }, command);
    } catch (const std::exception& problem) {
      out_.put([&](Outbox& box) { box.problems.push_back(sentenceOf(problem)); });
    }
    statusChanged_ = true;
  }
}

bool Worker::mayStep() const { return !waiting_ && wantsStep(); }

bool Worker::wantsStep() const { return !allFinished() && (playing_ || singleSteps_ > 0); }

void Worker::stepRuns() {
  const bool played = playing_;
  for (RunInTraining* run : runs())
    if (!run->finished() && playing_ == played) stepRun(*run, playing_ && !inquiries_.due(run_.get(), true));
  if (singleSteps_ > 0) --singleSteps_;
  if (allFinished()) {
    playing_ = false;
    speed_.pause();
  }
  if (!playing_) statusChanged_ = true;
}

/// Before whatever needs the runs as they are.
void Worker::settle() {
  try {
    for (RunInTraining* run : runs())
      while (run->inFlight()) stepRun(*run, false);
  } catch (const std::exception& problem) { fail(problem); }
}

void Worker::stepRun(RunInTraining& run, bool ahead) {
  const RunInTraining::Step step = run.step(ahead);
  if (std::exchange(work_, {})) statusChanged_ = true;
  if (step.finite) {
    if (&run == run_.get()) speed_.pass(run.tokensPerStep());
    out_.put([&](Outbox& box) {
      box.points.push_back(step.point);
      box.studies.insert(box.studies.end(), step.studies.begin(), step.studies.end());
    });
  }
  for (const RunEvent& event : step.events) publish(event);
  if (&run == run_.get() && collapsed(step.events)) collapsed_ = true;
  if (!step.finite) {
    message_ =
        "The loss stopped being a finite number at step " + std::to_string(run.stepsDone() + 1) +
        ", so training paused with the weights before it. Lower the learning rate, or go back to the last healthy "
        "checkpoint.";
    play(false);
  } else if (run.finished()) {
    record(run, RunEvent::Kind::finished, "Finished after " + std::to_string(run.stepsDone()) + " steps.");
    recorder_.setState(run.id(), RunSummary::State::finished);
  }
  if (!step.events.empty()) statusChanged_ = true;
}

void Worker::play(bool playing) {
  singleSteps_ = 0;
  if (playing == playing_) return;
  playing_ = playing;
  speed_.pause();
  statusChanged_ = true;
  for (RunInTraining* run : runs()) {
    if (run->finished()) continue;
    record(*run, playing ? RunEvent::Kind::resumed : RunEvent::Kind::paused);
    recorder_.setState(run->id(), playing ? RunSummary::State::running : RunSummary::State::paused);
  }
}

void Worker::fail(const std::exception& problem, const RunConfig* config) {
  const std::string sentence = sentenceOf(problem, config ? config : run_ ? &run_->config() : nullptr);
  playing_ = false;
  singleSteps_ = 0;
  failed_ = true;
  message_ = sentence;
  inquiries_.stopGenerating();
  for (RunInTraining* run : runs()) {
    run->abandonSteps();
    record(*run, RunEvent::Kind::failed, run->failure(sentence));
    recorder_.setState(run->id(), RunSummary::State::failed);
  }
  statusChanged_ = true;
}

void Worker::takeReports() {
  for (const CheckpointRow& row : recorder_.takeSaved()) {
    if (run_ && row.run == run_->id() && row.healthy) hasHealthy_ = true;
    RunEvent event;
    event.run = row.run;
    event.step = row.step;
    event.kind = RunEvent::Kind::checkpoint;
    event.text = row.healthy ? "Checkpoint" : "Checkpoint, not healthy";
    publish(event);
    statusChanged_ = true;
  }
  if (std::string news = recorder_.news(); news != storeNews_) {
    storeNews_ = std::move(news);
    statusChanged_ = true;
  }
  if (const bool waits = recorder_.waitsForRoom(); waits != waiting_) {
    waiting_ = waits;
    speed_.pause();
    statusChanged_ = true;
  }
  std::string problem = recorder_.problem();
  if (waiting_) problem += Recorder::kWaits;
  if (problem != storeProblem_) {
    storeProblem_ = std::move(problem);
    statusChanged_ = true;
  }
}

void Worker::publish(const RunEvent& event) {
  out_.put([&](Outbox& box) { box.events.push_back(event); });
}

void Worker::record(RunInTraining& run, RunEvent::Kind kind, std::string text) {
  const RunEvent event = run.eventOf(kind, std::move(text));
  run.record(event);
  publish(event);
}

SessionStatus::State Worker::state() const {
  if (preparing_) return SessionStatus::State::preparing;
  if (failed_) return SessionStatus::State::failed;
  if (!run_) return SessionStatus::State::idle;
  if (wantsStep()) return waiting_ ? SessionStatus::State::waiting : SessionStatus::State::training;
  return allFinished() ? SessionStatus::State::finished : SessionStatus::State::paused;
}

SessionStatus Worker::status() const {
  SessionStatus status;
  status.state = state();
  status.storeProblem = storeProblem_;
  status.storeNews = storeNews_;
  status.message = message_;
  status.work = work_;
  status.fluid = fluid_;
  if (!run_) return status;
  status.run = run_->id();
  status.twin = twin_ ? twin_->id() : 0;
  status.step = run_->stepsDone();
  status.targetSteps = run_->config().train.steps;
  status.tokensPerSecond = speed_.tokensPerSecond();
  if (status.tokensPerSecond > 0)
    status.secondsLeft =
        static_cast<double>((status.targetSteps - status.step) * run_->tokensPerStep()) / status.tokensPerSecond;
  status.config = run_->config();
  status.text = run_->prepared().text;
  status.size = sizeOf(run_->config());
  status.routedSize = run_->trainer().routedSize();
  if (alone_ && run_->stepsDone() > 0) status.peakMemory = peak_.bytes();
  status.backend = backend_->name() + ", " + std::string(nameOf(backend_->computeType())) + ", " +
                   std::to_string(backend_->threads()) + (backend_->threads() == 1 ? " thread" : " threads");
  status.canUndo = run_->canUndo();
  status.hasHealthyCheckpoint = hasHealthy_;
  status.alerts = run_->watch().standing();
  if (twin_) {
    const auto& more = twin_->watch().standing();
    status.alerts.insert(status.alerts.end(), more.begin(), more.end());
  }
  return status;
}

Progress Worker::progress() {
  return [this](const std::string& what, double share) {
    if (mailbox_.closed()) throw Ended();
    work_ = estimate_.pass(what, share);
    if (work_) statusChanged_ = true;
    publishStatus();
  };
}

/// At once where something changed; while training also so that step and speed stay fresh.
void Worker::publishStatus() {
  const auto time = std::chrono::steady_clock::now();
  if (!statusChanged_ && (!mayStep() || time - statusAt_ < kStatusInterval)) return;
  statusChanged_ = false;
  statusAt_ = time;
  out_.put([&](Outbox& box) { box.status = status(); });
}

}  // namespace moe
