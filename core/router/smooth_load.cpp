// Load that can be differentiated (Shazeer et al. 2017, appendix A).
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "core/router/balance_sums.h"
#include "core/router/top_k.h"

namespace moe {
namespace {

/// Calls visit(t, e, threshold index or -1, z - h) for every token and unmasked expert.
template <class S, class Visit>
void forEachMargin(const Routing& routing, const Recipe& recipe, const RoutingInput& input, Visit&& visit) {
  const std::int64_t experts = routing.experts;
  const int k = recipe.select.k;
  const S *clean = routing.logits.as<S>(), *noisy = routing.weighedLogits(recipe).as<S>();
  const S* keep = input.draws.keepExpert.empty() ? nullptr : input.draws.keepExpert.as<S>();
  std::vector<S> row(static_cast<std::size_t>(experts));
  std::vector<std::int32_t> best(static_cast<std::size_t>(k) + 1);
  constexpr double kNever = -std::numeric_limits<double>::infinity();
  for (std::int64_t t = 0; t < routing.tokens; ++t) {
    for (std::int64_t e = 0; e < experts; ++e)
      row[static_cast<std::size_t>(e)] =
          keep && keep[e] == 0 ? -std::numeric_limits<S>::infinity() : noisy[t * experts + e];
    largest(best.data(), row.data(), experts, k + 1);
    for (std::int64_t e = 0; e < experts; ++e) {
      if (keep && keep[e] == 0) continue;
      bool chosen = false;
      for (int j = 0; j < k; ++j) chosen |= best[static_cast<std::size_t>(j)] == e;
      const std::int32_t at = best[static_cast<std::size_t>(chosen ? k : k - 1)];
      const double h = at < 0 ? kNever : static_cast<double>(row[static_cast<std::size_t>(at)]);
      visit(t, e, at, static_cast<double>(clean[t * experts + e]) - h);
    }
  }
}

}  // namespace

double squaredVariation(std::span<double> slope, std::span<const double> values, double epsilon) {
  const auto n = static_cast<double>(values.size());
  double mean = 0, variance = 0;
  for (double v : values) mean += v / n;
  for (double v : values) variance += (v - mean) * (v - mean) / n;
  const double below = mean * mean + epsilon;
  if (below == 0) {
    for (double& s : slope) s = 0;
    return 0;
  }
  for (std::size_t i = 0; i < values.size(); ++i)
    slope[i] = 2 * (values[i] - mean) / (n * below) - variance * 2 * mean / (n * below * below);
  return variance / below;
}

template <class S>
void smoothLoad(std::span<double> sums, const Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  for (double& sum : sums) sum = 0;
  const S* deviation = routing.noiseDeviation.empty() ? nullptr : routing.noiseDeviation.as<S>();
  forEachMargin<S>(routing, recipe, input, [&](std::int64_t t, std::int64_t e, std::int32_t, double margin) {
    const double sigma = deviation ? static_cast<double>(deviation[t * routing.experts + e]) : 0;
    sums[static_cast<std::size_t>(e)] +=
        sigma > 0 ? 0.5 * std::erfc(-margin / sigma / std::numbers::sqrt2) : (margin > 0 ? 1.0 : 0.0);
  });
}

template <class S>
void smoothLoadBackward(Routing& routing, const Recipe& recipe, const RoutingInput& input,
                        std::span<const double> dSums, double scale) {
  if (routing.gradients.noisyLogits.empty()) return;
  const std::int64_t experts = routing.experts;
  const S* deviation = routing.noiseDeviation.as<S>();
  S *dz = routing.gradients.logits.as<S>(), *dNoisy = routing.gradients.noisyLogits.as<S>(),
    *dDeviation = routing.gradients.deviation.as<S>();
  const double density = 1 / std::sqrt(2 * std::numbers::pi);
  forEachMargin<S>(routing, recipe, input, [&](std::int64_t t, std::int64_t e, std::int32_t at, double margin) {
    const double sigma = static_cast<double>(deviation[t * experts + e]);
    if (!(sigma > 0) || at < 0) return;
    const double a = margin / sigma;
    const double g = scale * dSums[static_cast<std::size_t>(e)] * density * std::exp(-a * a / 2) / sigma;
    dz[t * experts + e] += static_cast<S>(g);
    dNoisy[t * experts + at] -= static_cast<S>(g);
    dDeviation[t * experts + e] -= static_cast<S>(g * a);
  });
}

template void smoothLoad<float>(std::span<double>, const Routing&, const Recipe&, const RoutingInput&);
template void smoothLoad<double>(std::span<double>, const Routing&, const Recipe&, const RoutingInput&);
template void smoothLoadBackward<float>(Routing&, const Recipe&, const RoutingInput&, std::span<const double>, double);
template void smoothLoadBackward<double>(Routing&, const Recipe&, const RoutingInput&, std::span<const double>, double);

}  // namespace moe
