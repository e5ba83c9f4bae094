#include "core/session/inquiries.h"

namespace moe {

namespace {
constexpr auto kLiveInterval = std::chrono::milliseconds(300);
}

void Inquiries::probe(const command::Probe& command) {
  probe_ = command;
  probedStep_ = -1;
}

void Inquiries::probeStored(const command::ProbeStored& command,
                            const std::function<Backend&(const RunConfig&)>& backendFor) {
  if (!stored_ || storedPath_ != command.checkpoint) {
    stored_.reset();
    const CheckpointFile checkpoint = openCheckpoint(command.checkpoint);
    stored_ = loadStoredModel(backendFor(checkpoint.about.config), checkpoint);
    storedPath_ = command.checkpoint;
  }
  auto answer = std::make_shared<TextRouting>(routeText(*stored_->model, *stored_->tokenizer, command.text));
  answer->run = stored_->run;
  answer->step = stored_->step;
  answer->request = command.request;
  probe_.reset();  // the screen looks at the stored model now
  out_.put([&](Outbox& box) { box.probe = answer; });
}

void Inquiries::generate(const command::Generate& command, RunInTraining& run) {
  stopGenerating();
  generationRequest_ = command.request;
  generationRun_ = run.id();
  generationStep_ = run.stepsDone();
  generation_ = std::make_unique<Generation>(run.trainer().model(), run.prepared().corpus->tokenizer(), command.prompt,
                                             command.settings);
  publishGeneration(false);
}

void Inquiries::publishGeneration(bool ended) {
  auto answer = std::make_shared<TextRouting>(generation_->result());
  answer->run = generationRun_;
  answer->step = generationStep_;
  answer->request = generationRequest_;
  answer->complete = answer->complete || ended;
  if (answer->complete) generation_.reset();
  out_.put([&](Outbox& box) { box.generation = answer; });
}

void Inquiries::stopGenerating() {
  if (generation_) publishGeneration(true);
}

bool Inquiries::probeDue(const RunInTraining& run, bool training) const {
  if (!probe_ || probedStep_ == run.stepsDone()) return false;
  return probedStep_ < 0 || !training || std::chrono::steady_clock::now() - probedAt_ >= kLiveInterval;
}

bool Inquiries::pending(const RunInTraining* run) const { return due(run, false); }

bool Inquiries::due(const RunInTraining* run, bool training) const {
  return run && (generation_ || probeDue(*run, training));
}

void Inquiries::turn(RunInTraining* run, bool training) {
  if (!run) return;
  if (probeDue(*run, training)) {
    auto answer = std::make_shared<TextRouting>(
        routeText(run->trainer().model(), run->prepared().corpus->tokenizer(), probe_->text));
    answer->run = run->id();
    answer->step = probedStep_ = run->stepsDone();
    answer->request = probe_->request;
    probedAt_ = std::chrono::steady_clock::now();
    if (!probe_->live) probe_.reset();
    out_.put([&](Outbox& box) { box.probe = answer; });
  }
  if (generation_) {
    generationStep_ = run->stepsDone();
    generation_->advance();
    publishGeneration(false);
  }
}

}  // namespace moe
