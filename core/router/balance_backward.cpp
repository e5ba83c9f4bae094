#include <cmath>

#include "core/router/balance.h"
#include "core/router/balance_sums.h"
#include "core/router/capacity.h"

namespace moe {
namespace {

using Term = Recipe::BalanceTerm;

double scaleOf(const Term& term, int index, const RoutingInput& input) {
  if (input.balanceGradient == kAllBalanceTerms) return term.coefficient * input.lossScale;
  return input.balanceGradient == index ? 1 : 0;
}

/// ds from the gradient dP (E) of a token's probabilities: the scores themselves, or s / sum s.
template <class S>
void throughProbabilities(S* ds, const S* s, const S* dP, std::int64_t experts, Recipe::Score kind) {
  if (kind != Recipe::Score::sigmoid) {
    for (std::int64_t e = 0; e < experts; ++e) ds[e] += dP[e];
    return;
  }
  double sum = 0, inner = 0;
  for (std::int64_t e = 0; e < experts; ++e) {
    sum += static_cast<double>(s[e]);
    inner += static_cast<double>(dP[e]) * static_cast<double>(s[e]);
  }
  if (!(sum > 0)) return;
  for (std::int64_t e = 0; e < experts; ++e) ds[e] += static_cast<S>((static_cast<double>(dP[e]) - inner / sum) / sum);
}

template <class S>
void meansBackward(Routing& routing, const BalanceStatistics& sums, double scale, Recipe::Score kind) {
  const std::int64_t experts = routing.experts;
  std::vector<S> row(static_cast<std::size_t>(experts));
  for (std::int32_t g = 0; g < sums.groups; ++g) {
    const TokenRange range = tokenGroup(routing.tokens, sums.groups, g);
    const double each = scale / static_cast<double>(range.end - range.begin);
    for (std::int64_t e = 0; e < experts; ++e)
      row[static_cast<std::size_t>(e)] = static_cast<S>(sums.slope[static_cast<std::size_t>(g * experts + e)] * each);
    for (std::int64_t t = range.begin; t < range.end; ++t)
      throughProbabilities(routing.gradients.scores.as<S>() + t * experts, routing.scores.as<S>() + t * experts,
                           row.data(), experts, kind);
  }
}

template <class S>
void entropyBackward(Routing& routing, double scale, Recipe::Score kind) {
  const std::int64_t experts = routing.experts;
  const double each = scale / static_cast<double>(routing.tokens);
  std::vector<S> row(static_cast<std::size_t>(experts));
  for (std::int64_t t = 0; t < routing.tokens; ++t) {
    const S* s = routing.scores.as<S>() + t * experts;
    double sum = 1;
    if (kind == Recipe::Score::sigmoid) {
      sum = 0;
      for (std::int64_t e = 0; e < experts; ++e) sum += static_cast<double>(s[e]);
    }
    for (std::int64_t e = 0; e < experts; ++e) {
      const double p = sum > 0 ? static_cast<double>(s[e]) / sum : 0;
      row[static_cast<std::size_t>(e)] = p > 0 ? static_cast<S>(-each * (std::log(p) + 1)) : S(0);
    }
    throughProbabilities(routing.gradients.scores.as<S>() + t * experts, s, row.data(), experts, kind);
  }
}

/// d mean(lse^2) / dz = 2 lse softmax(z) / T.
template <class S>
void zBackward(Routing& routing, const RoutingInput& input, double scale) {
  const std::int64_t experts = routing.experts;
  const S* keep = input.draws.keepExpert.empty() ? nullptr : input.draws.keepExpert.as<S>();
  for (std::int64_t t = 0; t < routing.tokens; ++t) {
    const double lse = routing.logSumExp[static_cast<std::size_t>(t)];
    const S factor = static_cast<S>(scale * 2 * lse / static_cast<double>(routing.tokens));
    const S shift = static_cast<S>(lse);
    const S* z = routing.logits.as<S>() + t * experts;
    S* dz = routing.gradients.logits.as<S>() + t * experts;
    for (std::int64_t e = 0; e < experts; ++e)
      if (!keep || keep[e] != 0) dz[e] += factor * std::exp(z[e] - shift);
  }
}

}  // namespace

template <class S>
BalanceTouched balanceBackward(Routing& routing, const Recipe& recipe, const RoutingInput& input, S* dAskedWeight) {
  BalanceTouched touched;
  for (std::size_t i = 0; i < recipe.balance.size(); ++i) {
    const Term& term = recipe.balance[i];
    const double scale = scaleOf(term, static_cast<int>(i), input);
    if (scale == 0) continue;
    const BalanceStatistics& sums = routing.balanceStatistics[i];
    switch (term.kind) {
      case Term::Kind::load:
      case Term::Kind::device:
      case Term::Kind::communication:
        meansBackward<S>(routing, sums, scale, recipe.score);
        touched.scores = true;
        break;
      case Term::Kind::entropy:
        entropyBackward<S>(routing, scale, recipe.score);
        touched.scores = true;
        break;
      case Term::Kind::z: zBackward<S>(routing, input, scale); break;
      case Term::Kind::importanceCv2:
        for (std::size_t at = 0; at < routing.asked.size(); ++at)
          if (routing.asked[at] >= 0)
            dAskedWeight[at] += static_cast<S>(scale * sums.slope[static_cast<std::size_t>(routing.asked[at])]);
        touched.weights = true;
        break;
      case Term::Kind::loadCv2: smoothLoadBackward<S>(routing, recipe, input, sums.slope, scale); break;
    }
  }
  return touched;
}

template BalanceTouched balanceBackward<float>(Routing&, const Recipe&, const RoutingInput&, float*);
template BalanceTouched balanceBackward<double>(Routing&, const Recipe&, const RoutingInput&, double*);

}  // namespace moe
