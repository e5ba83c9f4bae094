#include <algorithm>
#include <utility>

#include "core/backend/backend.h"
#include "core/backend/registry.h"
#include "core/base/error.h"
#include "core/session/checkpoints.h"
#include "core/session/sentence.h"
#include "core/session/worker.h"

namespace moe {

void Worker::checkRun() const {
  if (!run_) throw Error("session", "there is no run yet; start one first");
}

void Worker::checkMore() const {
  if (allFinished())
    throw Error("session", "the run has done its " + std::to_string(run_->config().train.steps) +
                               " steps; set a higher target to train on");
}

Surroundings Worker::surroundings() const {
  Surroundings around;
  around.fluid = fluid_;
  if (run_) {
    around.similar = &run_->prepared();
    around.memoryReturned = memoryHeld(run_->config());
  }
  if (twin_) around.memoryReturned += memoryHeld(twin_->config());
  return around;
}

template <class Source>
PreparedRun Worker::prepare(const Source& source, bool beside) {
  struct Preparing {
    Worker& worker;
    explicit Preparing(Worker& w) : worker(w) { say(true); }
    ~Preparing() { say(false); }
    void say(bool preparing) {
      worker.preparing_ = preparing;
      worker.work_.reset();
      worker.statusChanged_ = true;
      if (preparing) worker.publishStatus();
    }
  } preparing(*this);
  Surroundings around = surroundings();
  around.progress = progress();
  if (beside) around.memoryReturned = 0;
  return prepareRun(source, around);
}
template PreparedRun Worker::prepare(const RunConfig&, bool);
template PreparedRun Worker::prepare(const Checkpoint&, bool);

/// The present backend where it fits; the runs on another one must be gone.
Backend& Worker::prepareBackend(const RunConfig& config) {
  const BackendOptions wanted = backendOptions(config);
  if (backend_ && wanted.name == backendOptions_.name && wanted.threads == backend_->threads() &&
      wanted.computeType == backendOptions_.computeType)
    return *backend_;
  inquiries_.forgetStored();
  backend_ = makeBackend(wanted);
  backendOptions_ = wanted;
  return *backend_;
}

std::unique_ptr<RunInTraining> Worker::makeRun(PreparedRun prepared, RunSummary stored, std::filesystem::path folder) {
  auto run = std::make_unique<RunInTraining>(stored, std::move(folder), std::move(prepared), *backend_, recorder_);
  run->setProgress(progress());
  out_.put([&](Outbox& box) { box.startedRuns.push_back(stored); });
  return run;
}

std::unique_ptr<RunInTraining> Worker::makeRun(PreparedRun prepared, RunSummary first) {
  RunSummary stored = recorder_.create(std::move(first));
  std::filesystem::path folder = stored.id > 0 ? checkpointFolder(options_.store, stored.id) : std::filesystem::path();
  return makeRun(std::move(prepared), std::move(stored), std::move(folder));
}

void Worker::close(std::unique_ptr<RunInTraining>& run) {
  if (!run) return;
  // After a failure amid a step the weights may be half of the next one's: the checkpoint before it stands.
  if (!run->finished() && !failed_) {
    run->saveIfChanged();
    recorder_.setState(run->id(), RunSummary::State::paused);
  }
  recorder_.release(run->id());
  run.reset();
  statusChanged_ = true;
}

void Worker::recordUnrecorded() {
  if (failed_ || !recorder_.canRecord()) return;
  for (RunInTraining* run : runs()) {
    if (run->id() > 0) continue;
    settle();
    if (failed_) return;
    RunSummary first = run->summary();
    first.id = 0;
    first.state = run->finished() ? RunSummary::State::finished
                  : playing_      ? RunSummary::State::running
                                  : RunSummary::State::paused;
    first.targetSteps = run->config().train.steps;
    try {
      RunSummary stored = recorder_.adopt(run->id(), std::move(first));
      std::filesystem::path folder = checkpointFolder(options_.store, stored.id);
      out_.put([&](Outbox& box) { box.startedRuns.push_back(stored); });
      run->become(std::move(stored), std::move(folder));
      run->saveCheckpoint(false);
      record(*run, RunEvent::Kind::note, "Recorded from here on, with what memory held of the steps before.");
    } catch (const std::exception&) {
      return;  // the store has shut again; it says why
    }
    statusChanged_ = true;
  }
}

void Worker::closeRuns() {
  inquiries_.stopGenerating();
  close(twin_);
  close(run_);
}

/// The present runs make room, then `make` builds the new one; what it throws leaves the session without a run.
/// heldBytes: of the state that it is built from, which goes afterwards.
void Worker::replaceBy(std::function<std::unique_ptr<RunInTraining>()> make, const RunConfig& config, bool playing,
                       std::int64_t heldBytes) {
  closeRuns();
  playing_ = failed_ = hasHealthy_ = false;
  singleSteps_ = 0;
  message_.clear();
  speed_.pause();
  alone_ = true;
  peak_.begin(heldBytes);
  try {
    prepareBackend(config);
    run_ = make();
  } catch (const std::exception& problem) {
    fail(problem, &config);
    throw;
  }
  inquiries_.runChanged();
  playing_ = playing && !run_->finished();
  recorder_.setState(run_->id(), run_->finished() ? RunSummary::State::finished
                                 : playing_       ? RunSummary::State::running
                                                  : RunSummary::State::paused);
}

/// A child of the present run takes its place, from a state of it.
void Worker::forkFrom(Fork fork, bool playing) {
  PreparedRun prepared = prepare(fork.checkpoint);
  const RunConfig config = prepared.config;
  RunSummary first = summaryOf(prepared);
  first.parent = fork.checkpoint.run;
  first.parentStep = fork.checkpoint.state.step;
  replaceBy(
      [&] {
        auto run = makeRun(std::move(prepared), std::move(first));
        run->restore(fork.checkpoint, {});
        fork.event.run = run->id();
        fork.event.step = run->stepsDone();
        publish(run->begin(fork.event));
        return run;
      },
      config, playing, bytesOf(fork.checkpoint.state));
}

/// What alerts.restart says; a run stepped by hand waits in its child too. Where it does not restart the run trains on,
/// and says so once.
void Worker::restartAfterCollapse(bool playing) {
  collapsed_ = false;
  if (!run_) return;
  std::string sentence;
  if (auto fork = automaticRestart(*run_, recorder_, sentence)) return forkFrom(std::move(*fork), playing);
  if (sentence.empty() || gaveUp_ == run_->id()) return;
  gaveUp_ = run_->id();
  message_ = sentence;
  record(*run_, RunEvent::Kind::note, sentence);
  statusChanged_ = true;
}

void Worker::moveTo(const std::string& backend) {
  if (!backend_ || backend == backendOptions_.name) return;
  if (failed_) throw Error("session", "the run failed amid a step; go back to a healthy checkpoint first");
  BackendOptions wanted = backendOptions_;
  wanted.name = backend;
  if (std::string problem = backendProblem(backend); !problem.empty()) throw Error("session", problem);
  if (std::string problem = computeTypeProblem(backend, wanted.computeType); !problem.empty())
    throw Error("session", problem);
  wanted.threads = backendRow(backendOptions_.name).processor ? backend_->threads() : threadsAt(fluid_);
  inquiries_.stopGenerating();
  // Both stand side by side until the new one has everything, so that nothing is lost where it cannot.
  auto next = makeBackend(wanted);
  const auto moved = [&](const std::unique_ptr<RunInTraining>& run) -> std::unique_ptr<RunInTraining> {
    if (!run) return nullptr;
    const Checkpoint checkpoint = run->checkpoint();
    PreparedRun prepared = run->prepared();
    prepared.config = checkpoint.config;
    auto there = std::make_unique<RunInTraining>(run->summary(), run->folder(), std::move(prepared), *next, recorder_);
    auto past = recorder_.ask([&](RunStore& store) { return store.events(run->id()); });
    // What the checkpoint says is of this moment: knobs of earlier steps are only there to be undone.
    there->setProgress(progress());
    there->restore(checkpoint, past);
    there->setUnsaved();
    return there;
  };
  auto run = moved(run_), twin = moved(twin_);
  inquiries_.forgetStored();
  twin_.reset();
  run_.reset();
  backend_ = std::move(next);
  backendOptions_ = wanted;
  run_ = std::move(run);
  twin_ = std::move(twin);
  inquiries_.runChanged();
  statusChanged_ = true;
}

/// The newest checkpoint that can be read; of those that cannot, the window is told.
Checkpoint Worker::newestOf(RunId run, CheckpointRow& row) {
  std::vector<CheckpointRow> rows = recorder_.ask([run](RunStore& store) { return store.checkpoints(run); });
  std::sort(rows.begin(), rows.end(), [](const CheckpointRow& a, const CheckpointRow& b) { return a.step > b.step; });
  for (const CheckpointRow& candidate : rows) {
    try {
      Checkpoint checkpoint = openToResume(candidate.path, surroundings());
      row = candidate;
      return checkpoint;
    } catch (const Error& problem) {
      if (problem.tag() == "memory") throw;  // an older one would not fit either
      out_.put([&](Outbox& box) { box.problems.push_back(problem.what()); });
    }
  }
  throw Error("session",
              "run " + std::to_string(run) + " has no checkpoint that can be read, so it cannot go on; start it anew");
}

}  // namespace moe
