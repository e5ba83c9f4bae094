#include "core/telemetry/router_health.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "core/base/vector_math.h"
#include "core/telemetry/health.h"
#include "core/telemetry/token_rows.h"

namespace moe {
namespace {

/// importance (E) += p; returns H(p).
double addRow(double* importance, const double* scores, std::int64_t experts) {
  double sum = 0, entropy = 0;
  for (std::int64_t e = 0; e < experts; ++e) sum += scores[e];
  for (std::int64_t e = 0; e < experts; ++e) {
    const double p = sum > 0 ? scores[e] / sum : 1 / static_cast<double>(experts);
    entropy += entropyOf(p);
    importance[e] += p;
  }
  return entropy;
}

SWITCHYARD_VECTORISED double addRow(double* importance, const float* scores, std::int64_t experts) {
  float sum = 0, entropy = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t e = 0; e < experts; ++e) sum += scores[e];
  const float factor = sum > 0 ? 1.0f / sum : 0.0f, even = sum > 0 ? 0.0f : 1.0f / static_cast<float>(experts);
#pragma omp simd reduction(+ : entropy)
  for (std::int64_t e = 0; e < experts; ++e) {
    const float p = scores[e] * factor + even;
    entropy -= p * vectorLog(p);
    importance[e] += static_cast<double>(p);
  }
  return static_cast<double>(entropy);
}

template <class S>
SWITCHYARD_INLINE S largestUnselected(const S* ranking, const std::uint8_t* selected, std::int64_t experts) {
  constexpr S kNever = -std::numeric_limits<S>::infinity();
  S next = kNever;
#pragma omp simd reduction(max : next)
  for (std::int64_t e = 0; e < experts; ++e) {
    const S value = selected[e] != 0 ? kNever : ranking[e];
    next = value > next ? value : next;
  }
  return next;
}
SWITCHYARD_VECTORISED float largestOthers(const float* ranking, const std::uint8_t* selected, std::int64_t experts) {
  return largestUnselected(ranking, selected, experts);
}
SWITCHYARD_VECTORISED double largestOthers(const double* ranking, const std::uint8_t* selected, std::int64_t experts) {
  return largestUnselected(ranking, selected, experts);
}

}  // namespace

template <class S>
void addScores(RouterSums& sums, std::span<const S> scores, std::int64_t experts) {
  const std::int64_t tokens = rowsOf(scores.size(), experts);
  sums.tokens += tokens;
  sums.importance.resize(static_cast<std::size_t>(experts));
  for (std::int64_t t = 0; t < tokens; ++t)
    sums.entropy += addRow(sums.importance.data(), scores.data() + t * experts, experts);
}

RouterHealth routerHealth(const RouterSums& sums) {
  RouterHealth health;
  if (sums.tokens == 0) return health;
  const auto tokens = static_cast<double>(sums.tokens);
  health.entropy = sums.entropy / tokens;
  for (const double sum : sums.importance) health.meanProbEntropy += entropyOf(sum / tokens);
  health.mutualInformation = health.meanProbEntropy - health.entropy;
  health.importanceCv2 = cv2(sums.importance);
  return health;
}

template <class S>
double zLoss(std::span<const S> logits, std::int64_t experts) {
  const std::int64_t tokens = rowsOf(logits.size(), experts);
  double total = 0;
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto row = logits.subspan(static_cast<std::size_t>(t * experts), static_cast<std::size_t>(experts));
    const auto largest = static_cast<double>(*std::max_element(row.begin(), row.end()));
    double sum = 0;
    for (const S z : row) sum += std::exp(static_cast<double>(z) - largest);
    const double logSum = largest + std::log(sum);
    total += logSum * logSum;
  }
  return tokens > 0 ? total / static_cast<double>(tokens) : 0;
}

template <class S>
void addMargins(MarginSums& sums, std::span<const S> ranking, std::int64_t experts, std::span<const std::int32_t> table,
                std::int64_t slots) {
  std::vector<std::uint8_t> selected(static_cast<std::size_t>(experts), 0);
  const std::int64_t tokens = rowsOf(table.size(), slots);
  for (std::int64_t t = 0; t < tokens; ++t) {
    const auto set = table.subspan(static_cast<std::size_t>(t * slots), static_cast<std::size_t>(slots));
    const S* row = ranking.data() + t * experts;
    S least = std::numeric_limits<S>::infinity();
    for (const std::int32_t e : set)
      if (e >= 0) {
        least = std::min(least, row[e]);
        selected[static_cast<std::size_t>(e)] = 1;
      }
    const S next = largestOthers(row, selected.data(), experts);
    for (const std::int32_t e : set)
      if (e >= 0) selected[static_cast<std::size_t>(e)] = 0;
    if (!std::isfinite(least) || !std::isfinite(next)) continue;
    sums.margin += static_cast<double>(least) - static_cast<double>(next);
    ++sums.tokens;
  }
}

template void addScores<float>(RouterSums&, std::span<const float>, std::int64_t);
template void addScores<double>(RouterSums&, std::span<const double>, std::int64_t);
template double zLoss<float>(std::span<const float>, std::int64_t);
template double zLoss<double>(std::span<const double>, std::int64_t);
template void addMargins<float>(MarginSums&, std::span<const float>, std::int64_t, std::span<const std::int32_t>,
                                std::int64_t);
template void addMargins<double>(MarginSums&, std::span<const double>, std::int64_t, std::span<const std::int32_t>,
                                 std::int64_t);

}  // namespace moe
