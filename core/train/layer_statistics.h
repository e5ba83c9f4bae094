#pragma once
#include <vector>

#include "core/router/recipe.h"
#include "core/router/routing.h"
#include "core/telemetry/points.h"
#include "core/telemetry/router_health.h"

namespace moe {

/// Collects one expert layer's routing over the micro-batches of a step and says how it did. Memory is kept.
class LayerStatistics {
 public:
  void clear();
  /// `measuring`: else the counts alone are kept.
  void add(const Routing& routing, const Recipe& recipe, bool measuring = true);
  LayerPoint point(int layer) const;
  /// (E) admitted assignments of the step's whole batch / its tokens.
  std::vector<double> admittedPerToken() const;
  /// (E) asked assignments of the step's whole batch.
  const std::vector<std::int64_t>& counts() const { return counts_; }
  std::vector<std::int64_t>& counts() { return counts_; }

 private:
  void addWeights(const Tensor& weights);
  void addUnbiased(const Routing& routing, const Recipe& recipe);

  std::int64_t experts_ = 0, tokens_ = 0, slots_ = 0, micro_ = 0, dropped_ = 0;
  std::vector<std::int64_t> counts_;    // (E)
  std::vector<std::int64_t> admitted_;  // (E)
  std::vector<double> weights_;         // (E) sums of weights where every token asks every expert; else empty
  RouterSums router_;
  MarginSums margins_;
  std::vector<std::int32_t> asked_, final_,
      plain_;                    // (T, slots); plain_: without the selection bias, empty if there is none
  std::vector<double> balance_;  // one a term: sum over micro-batches
  Routing unbiased_;             // the same tokens selected without the bias
};

}  // namespace moe
