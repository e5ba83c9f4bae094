#include "core/router/balance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/router/balance_sums.h"
#include "core/router/capacity.h"
#include "core/router/select.h"

namespace moe {
namespace {

using Term = Recipe::BalanceTerm;

std::int32_t groupsOf(const Term& term, const Recipe& recipe, const RoutingInput& input) {
  if (term.kind != Term::Kind::load) return 1;
  if (term.scope == Term::Scope::sequence) return static_cast<std::int32_t>(input.sequences);
  return term.scope == Term::Scope::tokenGroup ? recipe.capacity.tokenGroups : 1;
}

bool readsUnadjusted(const Term& term, const Recipe& recipe) {
  return term.kind == Term::Kind::load && term.countsFrom == Term::CountsFrom::unadjusted &&
         recipe.select.kind == Recipe::Select::Kind::topK;
}

/// (groups, E) assignments of each expert: those asked for, or the top k of s alone.
void countAssignments(BalanceStatistics& out, const Routing& routing, const Term& term, bool unadjusted) {
  const std::vector<std::int32_t>& set = unadjusted ? routing.unadjusted : routing.asked;
  const std::int64_t slots = static_cast<std::int64_t>(set.size()) / routing.tokens;
  const std::int64_t counted = term.kind == Term::Kind::load && term.counts == Term::Counts::first ? 1 : slots;
  for (std::int32_t g = 0; g < out.groups; ++g) {
    double* count = out.count.data() + static_cast<std::int64_t>(g) * routing.experts;
    const TokenRange range = tokenGroup(routing.tokens, out.groups, g);
    for (std::int64_t t = range.begin; t < range.end; ++t)
      for (std::int64_t j = 0; j < counted; ++j) {
        const auto at = static_cast<std::size_t>(t * slots + j);
        if (set[at] >= 0 && (unadjusted || routing.wantsSlot[at])) count[set[at]] += 1;
      }
  }
}

/// (devices) tokens with at least one asked assignment in the block.
void countTokensSent(BalanceStatistics& out, const Routing& routing, int devices) {
  const std::int32_t block = routing.experts / devices;
  out.count.assign(static_cast<std::size_t>(devices), 0);
  std::vector<std::int64_t> lastToken(static_cast<std::size_t>(devices), -1);
  for (std::int64_t t = 0; t < routing.tokens; ++t)
    for (std::int64_t j = 0; j < routing.slots; ++j) {
      const auto at = static_cast<std::size_t>(t * routing.slots + j);
      if (routing.asked[at] < 0 || !routing.wantsSlot[at]) continue;
      const auto device = static_cast<std::size_t>(routing.asked[at] / block);
      if (lastToken[device] == t) continue;
      lastToken[device] = t;
      out.count[device] += 1;
    }
}

/// 1 / sum of the row where the scores are not probabilities yet.
template <class S>
double rowFactor(const S* s, std::int64_t experts, Recipe::Score kind) {
  if (kind != Recipe::Score::sigmoid) return 1;
  double sum = 0;
  for (std::int64_t e = 0; e < experts; ++e) sum += static_cast<double>(s[e]);
  return sum > 0 ? 1 / sum : 0;
}

/// (groups, E) mean probability P.
template <class S>
void averageScores(BalanceStatistics& out, const Routing& routing, Recipe::Score kind) {
  const std::int64_t experts = routing.experts;
  for (std::int32_t g = 0; g < out.groups; ++g) {
    double* mean = out.mean.data() + g * experts;
    const TokenRange range = tokenGroup(routing.tokens, out.groups, g);
    for (std::int64_t t = range.begin; t < range.end; ++t) {
      const S* s = routing.scores.as<S>() + t * experts;
      const double factor = rowFactor(s, experts, kind);
      for (std::int64_t e = 0; e < experts; ++e) mean[e] += static_cast<double>(s[e]) * factor;
    }
    for (std::int64_t e = 0; e < experts; ++e) mean[e] /= static_cast<double>(range.end - range.begin);
  }
}

template <class S>
double meanEntropy(const Routing& routing, Recipe::Score kind) {
  double sum = 0;
  for (std::int64_t t = 0; t < routing.tokens; ++t) {
    const S* s = routing.scores.as<S>() + t * routing.experts;
    const double factor = rowFactor(s, routing.experts, kind);
    for (std::int64_t e = 0; e < routing.experts; ++e)
      if (const double p = static_cast<double>(s[e]) * factor; p > 0) sum -= p * std::log(p);
  }
  return sum / static_cast<double>(routing.tokens);
}

template <class S>
double meanSquaredLogSumExp(Routing& routing, const RoutingInput& input) {
  const S* keep = input.draws.keepExpert.empty() ? nullptr : input.draws.keepExpert.as<S>();
  routing.logSumExp.resize(static_cast<std::size_t>(routing.tokens));
  double total = 0;
  for (std::int64_t t = 0; t < routing.tokens; ++t) {
    const S* z = routing.logits.as<S>() + t * routing.experts;
    S largest = -std::numeric_limits<S>::infinity();
    for (std::int64_t e = 0; e < routing.experts; ++e)
      if (!keep || keep[e] != 0) largest = std::max(largest, z[e]);
    double sum = 0;
    for (std::int64_t e = 0; e < routing.experts; ++e)
      if (!keep || keep[e] != 0) sum += static_cast<double>(std::exp(z[e] - largest));
    const double value = static_cast<double>(largest) + std::log(sum);
    routing.logSumExp[static_cast<std::size_t>(t)] = value;
    total += value * value;
  }
  return total / static_cast<double>(routing.tokens);
}

template <class S>
void sumWeights(BalanceStatistics& out, const Routing& routing) {
  const S* w = routing.askedWeight.as<S>();
  for (std::size_t i = 0; i < routing.asked.size(); ++i)
    if (routing.asked[i] >= 0) out.mean[static_cast<std::size_t>(routing.asked[i])] += static_cast<double>(w[i]);
}

}  // namespace

template <class S>
void balanceForward(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  const auto experts = static_cast<std::size_t>(routing.experts);
  routing.balance.resize(recipe.balance.size());
  routing.balanceStatistics.resize(recipe.balance.size());
  const bool router = !routing.scores.empty();
  routing.logSumExp.clear();
  if (router && std::any_of(recipe.balance.begin(), recipe.balance.end(),
                            [&](const Term& term) { return readsUnadjusted(term, recipe); }))
    selectUnadjusted<S>(routing, recipe.select.k);
  else
    routing.unadjusted.clear();
  for (std::size_t i = 0; i < recipe.balance.size(); ++i) {
    const Term& term = recipe.balance[i];
    BalanceStatistics& sums = routing.balanceStatistics[i];
    sums.groups = groupsOf(term, recipe, input);
    const bool scalar = term.kind == Term::Kind::z || term.kind == Term::Kind::entropy;
    const std::size_t size = scalar ? 1 : experts * static_cast<std::size_t>(sums.groups);
    sums.count.assign(size, 0);
    sums.mean.assign(size, 0);
    sums.slope.assign(size, 0);
    if (!router) continue;
    switch (term.kind) {
      case Term::Kind::load:
      case Term::Kind::device:
        countAssignments(sums, routing, term, readsUnadjusted(term, recipe));
        averageScores<S>(sums, routing, recipe.score);
        break;
      case Term::Kind::communication:
        countTokensSent(sums, routing, term.devices);
        averageScores<S>(sums, routing, recipe.score);
        break;
      case Term::Kind::z: sums.mean[0] = meanSquaredLogSumExp<S>(routing, input); break;
      case Term::Kind::entropy: sums.mean[0] = meanEntropy<S>(routing, recipe.score); break;
      case Term::Kind::importanceCv2: sumWeights<S>(sums, routing); break;
      case Term::Kind::loadCv2: smoothLoad<S>(sums.mean, routing, recipe, input); break;
    }
  }
  Routing* const alone[] = {&routing};
  finishBalance(alone, recipe);
}

template void balanceForward<float>(Routing&, const Recipe&, const RoutingInput&);
template void balanceForward<double>(Routing&, const Recipe&, const RoutingInput&);

}  // namespace moe
