#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/telemetry/points.h"
#include "ui/models/pyramid.h"

namespace moe::ui {

/// A run's points turned into columns: what the views draw from. A point at a step already there replaces it and all after
/// it (a resumed run goes over its last steps again).
class RunColumns {
 public:
  struct Layer {
    int layer = 0;  // index in the model's list of layers
    int experts = 0;
    Pyramid load;                   // (steps, E) load / fair share: 1 is balance
    std::vector<Pyramid> metrics;   // metricsOfLayers(), each (steps)
    Pyramid balance, termGradient;  // (steps, terms)
  };

  void append(const StepPoint& point);
  /// Keeps the points up to and with `step`.
  void truncate(std::int64_t step);
  /// From the next step on a layer has another number of experts: its rows begin anew, its curves go on.
  void resize(std::size_t layer, int experts);

  /// Changes whenever points were taken away, so that pictures made of them are made anew.
  int revision() const { return revision_; }
  bool empty() const { return steps_.empty(); }
  std::size_t size() const { return steps_.size(); }
  std::int64_t firstStep() const { return steps_.empty() ? 0 : steps_.front(); }
  std::int64_t lastStep() const { return steps_.empty() ? 0 : steps_.back(); }
  const std::vector<std::int64_t>& steps() const { return steps_; }
  /// Index of the last point at or before `step`; none where the run begins later.
  std::optional<std::size_t> indexAt(std::int64_t step) const;
  /// Index of the first point at or after `step`; size() where there is none.
  std::size_t indexFrom(std::int64_t step) const;

  const std::vector<Layer>& layers() const { return layers_; }
  /// The numbers of a metric, (steps); `layer` is an index in layers(), ignored for metrics of the whole run.
  const Pyramid& metric(Metric metric, std::size_t layer = 0) const;
  /// The point as it came, for whoever explains its numbers. What is measured only now and then is the newest measured,
  /// but the gradient of the language loss is of the step of the balance terms' or missing.
  StepPoint pointAt(std::size_t index) const;
  /// The newest point at or before `index` with the gradients of the balance terms and of the language loss both: a ratio of
  /// them is of one step. None where there is none yet.
  std::optional<std::size_t> balancerMeasuredAt(std::size_t index) const;
  /// The metric at a point, or the newest before it that has one (what is measured now and then); none: absent so far.
  std::optional<double> valueAt(Metric metric, std::size_t layer, std::size_t index) const;

 private:
  int revision_ = 0;
  std::vector<std::int64_t> steps_;
  std::vector<Pyramid> whole_ = std::vector<Pyramid>(metricsOfRun().size());  // each (steps)
  Pyramid balance_;                                                           // (steps, terms)
  std::vector<Layer> layers_;
};

}  // namespace moe::ui
