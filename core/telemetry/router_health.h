#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace moe {

// The router's certainty. Scores (T, E) are made into probabilities by dividing each row by its sum (sigmoid routers).
// f64 is exact to rounding; f32 is what a training step can afford (within 1e-6, vectorised), summed in f64 over
// tokens.

struct RouterHealth {
  double entropy = 0;            // mean over tokens of H(p_t), nats
  double meanProbEntropy = 0;    // H(mean over tokens of p_t), nats
  double mutualInformation = 0;  // the second minus the first: high where experts are both specialised and balanced
  double importanceCv2 = 0;      // CV^2 of sum over tokens of p_te
};

/// Sums over tokens from which RouterHealth follows: batches are added one after the other.
struct RouterSums {
  std::int64_t tokens = 0;
  double entropy = 0;              // of H(p_t)
  std::vector<double> importance;  // (E) of p_te
};
template <class S>
void addScores(RouterSums& sums, std::span<const S> scores, std::int64_t experts);
RouterHealth routerHealth(const RouterSums& sums);
template <class S>
RouterHealth routerHealth(std::span<const S> scores, std::int64_t experts) {
  RouterSums sums;
  addScores(sums, scores, experts);
  return routerHealth(sums);
}

/// Mean over tokens of logsumexp(z)^2; logits (T, E).
template <class S>
double zLoss(std::span<const S> logits, std::int64_t experts);

/// Smallest selected minus largest unselected ranking value, over tokens. Those that have nothing on one of the two
/// sides (or only -inf) are left out.
struct MarginSums {
  std::int64_t tokens = 0;
  double margin = 0;
  double mean() const { return tokens > 0 ? margin / static_cast<double>(tokens) : 0; }
};
/// ranking (T, E), table (T, slots).
template <class S>
void addMargins(MarginSums& sums, std::span<const S> ranking, std::int64_t experts, std::span<const std::int32_t> table,
                std::int64_t slots);
template <class S>
double meanMargin(std::span<const S> ranking, std::int64_t experts, std::span<const std::int32_t> table,
                  std::int64_t slots) {
  MarginSums sums;
  addMargins(sums, ranking, experts, table, slots);
  return sums.mean();
}

}  // namespace moe
