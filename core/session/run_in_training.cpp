#include "core/session/run_in_training.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/base/checksum.h"
#include "core/base/error.h"
#include "core/model/upcycle.h"
#include "core/train/schedule.h"

namespace moe {

RunInTraining::RunInTraining(RunSummary summary, std::filesystem::path folder, PreparedRun run, Backend& backend,
                             Recorder& recorder)
    : summary_(std::move(summary)),
      folder_(std::move(folder)),
      prepared_(std::move(run)),
      textChecksum_(checksumText(prepared_.corpus->checksum())),
      recorder_(recorder),
      trainer_(backend, prepared_.config, prepared_.corpus),
      detector_(summary_.id, prepared_.config.alerts) {
  if (!prepared_.dense) return;
  const std::vector<TrainingState::Named>& tensors = prepared_.dense->state.parameters;
  const auto find = [&](std::string_view name) -> TensorView {
    const auto found = std::ranges::find(tensors, name, &TrainingState::Named::name);
    return found == tensors.end() ? TensorView{} : found->tensor.view();
  };
  upcycle(trainer_.model(), prepared_.dense->config.model, find, prepared_.config.seed);
  prepared_.dense.reset();
}

RunEvent RunInTraining::eventOf(RunEvent::Kind kind, std::string text) const {
  RunEvent event;
  event.run = id();
  event.step = stepsDone();
  event.kind = kind;
  event.text = std::move(text);
  return event;
}

std::int64_t RunInTraining::tokensPerStep() const {
  const RunConfig& config = trainer_.config();
  return std::int64_t{config.train.batch} * config.train.microBatches * config.model.context;
}

void RunInTraining::become(RunSummary recorded, std::filesystem::path folder) {
  summary_ = std::move(recorded);
  folder_ = std::move(folder);
  detector_.setRun(id());
  savedStep_ = -1;
}

RunEvent RunInTraining::begin(const RunEvent& event) {
  record(event);
  saveCheckpoint(false);
  return event;
}

void RunInTraining::restore(const Checkpoint& checkpoint, const std::vector<RunEvent>& past) {
  if (checkpoint.stored)
    trainer_.restore(*checkpoint.stored);
  else
    trainer_.restore(checkpoint.state);
  detector_.restore(checkpoint.watch);
  restarts_ = checkpoint.watch.restarts;
  savedStep_ = stepsDone();
  for (const RunEvent& event : past) {
    const bool knob = event.kind == RunEvent::Kind::knob, undo = event.kind == RunEvent::Kind::undo;
    if ((!knob && !undo) || event.step > stepsDone()) continue;
    if (knob) turned_.push_back({event.path, event.oldValue});
    if (undo && !turned_.empty()) turned_.pop_back();
    // Those turned at the checkpoint's own step may have come after it was written; setting them twice changes nothing.
    if (event.step == stepsDone() && getByPath(config(), event.path) != event.newValue) {
      trainer_.set(event.path, event.newValue);
      changedSince_ = true;
    }
  }
  detector_.configure(config().alerts);
}

bool RunInTraining::pausesAfter(std::int64_t step) const {
  const TrainConfig& train = config().train;
  return step >= train.steps || trainer_.validationDue(step) ||
         (train.checkpointEvery > 0 && step % train.checkpointEvery == 0);
}

RunInTraining::Step RunInTraining::step(bool ahead) {
  Step result;
  if (stepsDone() == 0 && !inFlight()) result.studies.push_back(study());
  const auto began = std::chrono::steady_clock::now();
  if (!inFlight()) trainer_.enqueue();
  if (ahead && trainer_.worthRunningAhead() && !pausesAfter(stepsDone() + 1)) trainer_.enqueue();
  result.point = trainer_.collect();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
  StepPoint& point = result.point;
  point.run = id();
  finite_ = result.finite = std::isfinite(point.loss) && std::isfinite(point.gradientNorm);
  if (!finite_) {
    RunEvent event =
        eventOf(RunEvent::Kind::notFinite, "The loss of step " + std::to_string(stepsDone() + 1) +
                                               " was not a finite number; the weights are those before it.");
    record(event);
    result.events.push_back(std::move(event));
    return result;
  }
  point.tokensPerSecond = static_cast<double>(tokensPerStep()) / std::max(1e-9, seconds.count());
  const TrainConfig& train = config().train;
  if (trainer_.validationDue(stepsDone())) {
    try {
      point.validationLoss = trainer_.evaluate(kValidationTokens, progress_);
      result.studies.push_back(study());
    } catch (const Ended&) { result.validationEnded = true; }
  }
  result.events = detector_.update(point);
  for (LayerPoint& layer : point.layers)
    if (const auto dead = detector_.deadExperts(layer.layer)) layer.dead = static_cast<float>(*dead);
  recorder_.add(point);
  for (const RunEvent& event : result.events) record(event);
  std::erase_if(result.studies, [](const auto& study) { return study->layers.empty(); });
  for (const auto& study : result.studies) recorder_.add(study);
  if (finished() || (train.checkpointEvery > 0 && point.step % train.checkpointEvery == 0)) saveCheckpoint(false);
  return result;
}

std::shared_ptr<const RunStudy> RunInTraining::study() {
  auto study = std::make_shared<RunStudy>(trainer_.study());
  study->run = id();
  return study;
}

RunEvent RunInTraining::apply(RunEvent::Kind kind, const std::string& path, const std::string& value) {
  if (!changesLive(path))
    throw Error("config",
                path + " cannot change while a model trains: it shapes the model or its data; restart to apply it");
  RunEvent event = eventOf(kind);
  event.path = path;
  event.oldValue = getByPath(config(), path);
  RunConfig changed = config();
  setByPath(changed, path, value);
  if (const std::vector<Problem> found = problems(changed); !found.empty())
    throw Error("config", found.front().path + ": " + found.front().sentence);
  if (changed.train.steps < stepsDone())
    throw Error("config", "train.steps: " + std::to_string(stepsDone()) + " steps are done already; choose more");
  event.newValue = getByPath(changed, path);
  if (event.newValue == event.oldValue) return event;
  const std::string stretched = stretchedRate(config().train, changed.train, stepsDone());
  trainer_.set(path, value);
  detector_.configure(config().alerts);
  changedSince_ = true;
  event.text = path + ": " + event.oldValue + " to " + event.newValue + (stretched.empty() ? "" : ". " + stretched);
  record(event);
  if (path == "train.steps") recorder_.setTargetSteps(id(), config().train.steps);
  return event;
}

std::optional<RunEvent> RunInTraining::setKnob(const std::string& path, const std::string& value) {
  RunEvent event = apply(RunEvent::Kind::knob, path, value);
  if (event.newValue == event.oldValue) return std::nullopt;
  turned_.push_back({path, event.oldValue});
  return event;
}

std::optional<RunEvent> RunInTraining::undoKnob() {
  if (turned_.empty()) return std::nullopt;
  RunEvent event = apply(RunEvent::Kind::undo, turned_.back().path, turned_.back().oldValue);
  turned_.pop_back();
  return event;
}

std::string RunInTraining::failure(const std::string& reason) {
  std::int64_t saved = -1;
  try {
    for (const CheckpointRow& row : recorder_.ask([this](RunStore& store) { return store.checkpoints(id()); }))
      saved = std::max(saved, row.step);
  } catch (const std::exception&) {
    // No store: then nothing is saved in one.
  }
  return "Failed after step " + std::to_string(stepsDone()) +
         (saved >= 0 ? ", saved as of step " + std::to_string(saved) : ", without a checkpoint") + ": " + reason;
}

Checkpoint RunInTraining::checkpoint() const {
  Checkpoint checkpoint;
  checkpoint.config = config();
  checkpoint.state = trainer_.state();
  checkpoint.tokenizer = prepared_.corpus->sharedTokenizer();
  checkpoint.textChecksum = textChecksum_;
  checkpoint.run = id();
  checkpoint.watch = detector_.state();
  checkpoint.watch.restarts = restarts_;
  return checkpoint;
}

void RunInTraining::saveCheckpoint(bool pinned) {
  if (folder_.empty()) return;
  recorder_.save(
      id(), folder_, [this] { return checkpoint(); }, finite_ && detector_.standing().empty(), pinned);
  savedStep_ = stepsDone();
  changedSince_ = false;
}

void RunInTraining::saveIfChanged() {
  if (savedStep_ != stepsDone() || changedSince_) saveCheckpoint(false);
}

}  // namespace moe
