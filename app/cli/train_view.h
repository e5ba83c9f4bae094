#pragma once
#include <memory>
#include <vector>

#include "app/cli/json_lines.h"

namespace moe::cli {

/// How a run is shown while it trains. Belongs to the training thread.
class TrainView {
 public:
  virtual ~TrainView() = default;
  virtual void begin(RunInTraining& run, const std::string& backend) = 0;
  virtual void step(RunInTraining& run, const StepPoint& point, const std::vector<RunEvent>& events) = 0;
  /// Something happened between two steps: an automatic restart (the run is the new one), or why there is none.
  virtual void note(RunInTraining& run, const RunEvent& event) = 0;
  virtual void end(const Closing& closing) = 0;
};

std::unique_ptr<TrainView> makeJsonView();
/// One line every few steps: for files, pipes and logs.
std::unique_ptr<TrainView> makePlainView();
/// Experts by layer redrawn in place, for a terminal.
std::unique_ptr<TrainView> makeLiveView();

}  // namespace moe::cli
