#pragma once
#include <cstdint>
#include <deque>
#include <vector>

#include "core/telemetry/points.h"

namespace moe {

/// Loads of one step's expert layers: what the collapse detector and the closing figures of a run remember.
struct StepLoads {
  struct Layer {
    int layer = 0;             // index in the model's list of layers
    double assignments = 0;    // sum c of the step
    std::vector<float> share;  // (E) c_e / sum c
    bool operator==(const Layer&) const = default;
  };
  std::int64_t step = 0;
  std::vector<Layer> layers;  // expert layers only, in order
  bool operator==(const StepLoads&) const = default;
};

/// Whether both have the same layers with as many experts.
bool sameLayout(const StepLoads& a, const StepLoads& b);

/// What watching a run's loads needs to go on as if never interrupted: part of a checkpoint.
struct WatchState {
  std::vector<StepLoads> loads;  // the newest steps, in order
  std::vector<Alert> alerts;     // standing; their `run` is the reader's to set
  int restarts = 0;              // automatic ones that led here
};

/// One expert's load over the last steps of a window.
struct ExpertUtilization {
  int layer = 0, expert = 0;
  double utilization = 0;  // mean load / fair share, fair share = 1/E
};

/// The newest steps' loads of one run. Sums are taken anew from the oldest step to the newest, so a window restored from
/// its steps gives the same bits as one that saw them come.
class LoadWindow {
 public:
  /// Keeps the newest `capacity` steps.
  explicit LoadWindow(std::int64_t capacity) : capacity_(capacity) {}
  void setCapacity(std::int64_t capacity);
  void push(const StepPoint& point);
  void restore(const std::vector<StepLoads>& loads);

  std::int64_t size() const { return static_cast<std::int64_t>(steps_.size()); }
  std::vector<StepLoads> steps() const { return {steps_.begin(), steps_.end()}; }

  /// Every expert of every layer, in order, over the newest `steps` steps (all, where fewer are kept).
  std::vector<ExpertUtilization> utilization(std::int64_t steps) const;
  /// MaxVio of each layer from the counts summed over the newest `steps` steps: max c / mean c - 1.
  std::vector<double> maxVio(std::int64_t steps) const;

 private:
  /// Forgets what was before if the layers or experts are others (a file from outside may say so).
  void push(StepLoads loads);
  void trim();

  std::int64_t capacity_;
  std::deque<StepLoads> steps_;
};

}  // namespace moe
