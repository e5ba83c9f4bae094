#pragma once
#include <vector>

#include "core/router/recipe.h"
#include "core/router/routing_summary.h"
#include "core/telemetry/points.h"

namespace moe {

/// Adds up what the micro-batches of a step say about one expert layer's routing, and says how it did. Memory is kept.
class LayerStatistics {
 public:
  void clear();
  /// One micro-batch of `tokens`; `measuring` as it was summarised.
  void add(const RoutingSummary& batch, const Recipe& recipe, std::int64_t tokens, bool measuring);
  LayerPoint point(int layer) const;
  /// (E) admitted assignments of the step's whole batch / its tokens.
  std::vector<double> admittedPerToken() const;
  /// (E) asked assignments of the step's whole batch.
  std::span<const double> counts() const { return total().counts(); }

 private:
  RoutingSummary total() const { return {sums_, experts_}; }

  std::int64_t experts_ = 0, tokens_ = 0, micro_ = 0;
  bool weighed_ = false;               // every token asks every expert: assignments count by their weights
  bool measured_ = false, biased_ = false;
  mutable std::vector<double> sums_;   // the rows' sum
};

}  // namespace moe
