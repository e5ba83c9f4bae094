#pragma once
#include <optional>
#include <string>

#include "core/session/run_in_training.h"

namespace moe {

/// A run to go on with from an earlier state, and the event that begins it.
struct Fork {
  Checkpoint checkpoint;  // `run` is the parent
  RunEvent event;         // forked; run and step are those of the new run, set when it is there
};

/// Back to the run's newest healthy checkpoint, with more expert dropout (combine.expert_dropout, at most 0.9). Throws
/// Error("session") where it has none.
Fork healthyFork(const RunInTraining& run, Recorder& recorder, double moreDropout);

/// The policy of alerts.restart, asked after a step that raised alerts. Nothing, with a sentence, where it may not
/// restart: the limit is reached, or no checkpoint is healthy. Nothing, and no sentence, where it is off.
std::optional<Fork> automaticRestart(const RunInTraining& run, Recorder& recorder, std::string& sentence);

/// Whether the step's events include one that the policy acts on.
bool collapsed(const std::vector<RunEvent>& events);

}  // namespace moe
