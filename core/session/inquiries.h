#pragma once
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/inspect/text_routing.h"
#include "core/session/mailbox.h"
#include "core/session/run_in_training.h"
#include "core/session/stored_model.h"

namespace moe {

/// Texts sent through the model between training steps: live probes, single ones, stored models, and a continuation that
/// grows by one token a turn, so that neither it nor the training stalls. The worker's thread.
class Inquiries {
 public:
  explicit Inquiries(OutTray& out) : out_(out) {}

  void probe(const command::Probe& command);
  /// At once: the model is read from its checkpoint, and kept for the next text. Throws Error("checkpoint").
  void probeStored(const command::ProbeStored& command, const std::function<Backend&(const RunConfig&)>& backendFor);
  void generate(const command::Generate& command, RunInTraining& run);
  /// The continuation ends as it stands: asked for, or its run is about to go.
  void stopGenerating();
  /// Something other than a step changed the run: a knob, another run in its place.
  void runChanged() { probedStep_ = -1; }
  /// The backend is about to go.
  void forgetStored() { stored_.reset(); }

  /// Whether there is work even while training rests.
  bool pending(const RunInTraining* run) const;
  /// What is due between two steps, and whether anything is.
  void turn(RunInTraining* run, bool training);
  bool due(const RunInTraining* run, bool training) const;

 private:
  void publishGeneration(bool ended);
  bool probeDue(const RunInTraining& run, bool training) const;

  OutTray& out_;
  std::optional<command::Probe> probe_;  // the newest; kept after its answer where it is live
  std::int64_t probedStep_ = -1;         // of the last answer to probe_; -1: due at once
  std::chrono::steady_clock::time_point probedAt_;

  std::unique_ptr<Generation> generation_;
  std::uint64_t generationRequest_ = 0;
  RunId generationRun_ = 0;
  std::int64_t generationStep_ = 0;

  std::optional<StoredModel> stored_;
  std::string storedPath_;
};

}  // namespace moe
