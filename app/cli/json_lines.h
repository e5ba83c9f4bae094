#pragma once
#include <nlohmann/json_fwd.hpp>

#include "core/session/run_in_training.h"
#include "core/telemetry/snapshot.h"

namespace moe::cli {

// What `--json` prints: one object a line on standard output, flushed, so that a reader on a pipe sees each step at once.

void printLine(const nlohmann::ordered_json& object);

/// A training step with the alerts standing after it.
nlohmann::ordered_json stepLine(const StepPoint& point, const std::vector<Alert>& alerts);

/// How a run closed.
struct Closing {
  RunId run = 0;
  std::int64_t steps = 0;
  std::optional<double> trainLoss, validationLoss;
  std::int64_t validatedTokens = 0, heldOutTokens = 0;
  double tokensPerSecond = 0;           // over all steps of this process
  std::vector<double> maxVio;           // a layer, counts summed over the last kSummarySteps steps
  std::vector<ExpertUtilization> dead;  // below kDeadShare of the fair share over those
  std::string checkpoint;
};
nlohmann::ordered_json closingLine(const Closing& closing);

/// {"tokens": [...]} of a text.
nlohmann::ordered_json routingObject(const TextRouting& routing);

}  // namespace moe::cli
