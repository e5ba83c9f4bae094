#pragma once
#include <vector>

#include "core/router/recipe.h"
#include "core/router/routing_summary.h"
#include "core/telemetry/points.h"

namespace moe {

/// Says how one expert layer's routing did in a step. Memory is kept.
class LayerStatistics {
 public:
  /// The sum over a step's micro-batches, of `tokens` together; `measuring` as they were summarised.
  void set(const RoutingSummary& sum, const Recipe& recipe, std::int64_t tokens, std::int64_t microBatches,
           bool measuring);
  LayerPoint point(int layer) const;
  /// (E) admitted assignments of the step's whole batch / its tokens.
  std::vector<double> admittedPerToken() const;

 private:
  RoutingSummary total() const { return {sums_, experts_}; }

  std::int64_t experts_ = 0, tokens_ = 0, micro_ = 0;
  bool weighed_ = false;  // every token asks every expert: assignments count by their weights
  bool measured_ = false, biased_ = false;
  mutable std::vector<double> sums_;  // the row
};

}  // namespace moe
