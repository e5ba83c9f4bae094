#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/telemetry/alert_config.h"
#include "core/telemetry/load_window.h"
#include "core/telemetry/points.h"

namespace moe {

/// Steps the closing figures of a run (MaxVio, dead experts) look back over.
inline constexpr std::int64_t kSummarySteps = 50;

/// Watches one run's experts. Once `window` steps are there, an expert whose mean load over them falls below
/// `threshold` of its fair share raises an alert at that very step; it clears when the mean is back at `clears`.
class CollapseDetector {
 public:
  CollapseDetector(RunId run, AlertConfig config);
  /// The run was given another number.
  void setRun(RunId run);
  void configure(AlertConfig config);

  /// Takes the next step's loads; what was raised and cleared by it, in order of layer and expert.
  std::vector<RunEvent> update(const StepPoint& point);

  const std::vector<Alert>& standing() const { return standing_; }
  /// Experts of a layer whose mean load over the window is below the threshold at the last update; nothing while the
  /// window is not full. Without the alerts' hysteresis.
  std::optional<int> deadExperts(int layer) const;
  const LoadWindow& window() const { return window_; }

  WatchState state() const { return {window_.steps(), standing_}; }
  void restore(const WatchState& state);

 private:
  RunId run_;
  AlertConfig config_;
  LoadWindow window_;
  std::vector<Alert> standing_;                 // in order of layer and expert
  std::vector<ExpertUtilization> utilization_;  // over the window at the last update; empty while it is not full
};

}  // namespace moe
