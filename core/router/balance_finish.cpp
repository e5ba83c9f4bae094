// From counts and sums to values and slopes, over all layers.
#include <algorithm>
#include <cassert>

#include "core/router/balance.h"
#include "core/router/balance_sums.h"
#include "core/router/capacity.h"

namespace moe {
namespace {

using Term = Recipe::BalanceTerm;

double normalisation(const Term& term, double experts, double n) {
  switch (term.normalisation) {
    case Term::Normalisation::unit: return n > 0 ? experts / n : 0;
    case Term::Normalisation::perToken: return experts;
    case Term::Normalisation::mean: return 1 / experts;
  }
  return 0;
}

double sumOf(std::span<const double> values) {
  double sum = 0;
  for (double v : values) sum += v;
  return sum;
}

/// Counts of group g of a layer's term and the tokens behind them; those of the whole step for scope global_batch.
struct Counts {
  std::span<const double> count;
  double tokens;
};
Counts countsOf(const Routing& routing, std::size_t layer, std::size_t index, std::int32_t g, const Term& term,
                const GlobalBatchStatistics* global) {
  if (global && !global->empty() && term.scope == Term::Scope::globalBatch)
    return {global->counts(layer, index), global->tokens()};
  const BalanceStatistics& sums = routing.balanceStatistics[index];
  const TokenRange range = tokenGroup(routing.tokens, sums.groups, g);
  const auto experts = static_cast<std::size_t>(routing.experts);
  return {std::span(sums.count).subspan(static_cast<std::size_t>(g) * experts, experts),
          static_cast<double>(range.end - range.begin)};
}

/// Value of a load term for one layer alone; its slopes are scaled by `share`.
double finishLoad(Routing& routing, std::size_t layer, std::size_t index, const Term& term, double share,
                  const GlobalBatchStatistics* global) {
  BalanceStatistics& sums = routing.balanceStatistics[index];
  const auto experts = static_cast<std::size_t>(routing.experts);
  double value = 0;
  for (std::int32_t g = 0; g < sums.groups; ++g) {
    const Counts counts = countsOf(routing, layer, index, g, term, global);
    const double norm = normalisation(term, static_cast<double>(experts), sumOf(counts.count) / counts.tokens);
    for (std::size_t e = 0; e < experts; ++e) {
      const std::size_t at = static_cast<std::size_t>(g) * experts + e;
      const double slope = norm * counts.count[e] / counts.tokens / sums.groups;
      sums.slope[at] = slope * share;
      value += slope * sums.mean[at];
    }
  }
  return value;
}

/// f and P over the tokens of all layers together: averages over layers before the product.
double finishConcatenated(std::span<Routing* const> layers, std::size_t index, const Term& term,
                          const GlobalBatchStatistics* global) {
  const auto experts = static_cast<std::size_t>(layers[0]->experts);
  const double share = 1 / static_cast<double>(layers.size());
  const std::int32_t groups = layers[0]->balanceStatistics[index].groups;
  double value = 0;
  for (std::int32_t g = 0; g < groups; ++g) {
    double n = 0;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const Counts counts = countsOf(*layers[l], l, index, g, term, global);
      n += share * sumOf(counts.count) / counts.tokens;
    }
    const double norm = normalisation(term, static_cast<double>(experts), n);
    for (std::size_t e = 0; e < experts; ++e) {
      const std::size_t at = static_cast<std::size_t>(g) * experts + e;
      double f = 0, mean = 0;
      for (std::size_t l = 0; l < layers.size(); ++l) {
        const Counts counts = countsOf(*layers[l], l, index, g, term, global);
        f += share * counts.count[e] / counts.tokens;
        mean += share * layers[l]->balanceStatistics[index].mean[at];
      }
      value += norm * f * mean / groups;
      for (Routing* layer : layers) layer->balanceStatistics[index].slope[at] = norm * f * share / groups;
    }
  }
  return value;
}

/// device: f'_d P'_d; communication: g_d P'_d. f' and g are const, P'_d is the sum of its experts' P.
double finishBlocks(Routing& routing, std::size_t index, const Term& term) {
  BalanceStatistics& sums = routing.balanceStatistics[index];
  const int devices = term.devices;
  const auto block = static_cast<std::size_t>(routing.experts / devices);
  const bool communication = term.kind == Term::Kind::communication;
  const double tokens = static_cast<double>(routing.tokens), total = sumOf(sums.count);
  double value = 0;
  for (std::size_t d = 0; d < static_cast<std::size_t>(devices); ++d) {
    double factor = 0;
    if (communication)
      factor = sums.count[d] / tokens * devices / term.maxDevices;
    else if (total > 0)
      factor = sumOf(std::span(sums.count).subspan(d * block, block)) * devices / total;
    for (std::size_t e = d * block; e < (d + 1) * block; ++e) {
      sums.slope[e] = factor;
      value += factor * sums.mean[e];
    }
  }
  return value;
}

double finishOne(Routing& routing, std::size_t layer, std::size_t index, const Term& term, double share,
                 const GlobalBatchStatistics* global) {
  BalanceStatistics& sums = routing.balanceStatistics[index];
  switch (term.kind) {
    case Term::Kind::load: return finishLoad(routing, layer, index, term, share, global);
    case Term::Kind::device:
    case Term::Kind::communication: return finishBlocks(routing, index, term);
    case Term::Kind::importanceCv2:
    case Term::Kind::loadCv2: return squaredVariation(sums.slope, sums.mean, term.epsilon);
    case Term::Kind::z:
    case Term::Kind::entropy: sums.slope[0] = 1; return sums.mean[0];
  }
  return 0;
}

}  // namespace

void GlobalBatchStatistics::clear() { values_.clear(); }

void GlobalBatchStatistics::add(std::span<const Routing* const> layers, const Recipe& recipe) {
  if (layers.empty()) return;
  terms_ = recipe.balance.size();
  experts_ = static_cast<std::size_t>(recipe.experts.count);
  const std::size_t size = layers.size() * terms_ * experts_ + 1;
  assert(values_.empty() || values_.size() == size);
  values_.resize(size, 0);
  for (std::size_t l = 0; l < layers.size(); ++l)
    for (std::size_t i = 0; i < terms_; ++i) {
      if (recipe.balance[i].scope != Term::Scope::globalBatch || recipe.balance[i].kind != Term::Kind::load) continue;
      const std::vector<double>& count = layers[l]->balanceStatistics[i].count;
      for (std::size_t e = 0; e < experts_; ++e) values_[(l * terms_ + i) * experts_ + e] += count[e];
    }
  values_.back() += static_cast<double>(layers[0]->tokens);
}

std::span<const double> GlobalBatchStatistics::counts(std::size_t layer, std::size_t term) const {
  return std::span(values_).subspan((layer * terms_ + term) * experts_, experts_);
}

BalanceTotals finishBalance(std::span<Routing* const> layers, const Recipe& recipe,
                            const GlobalBatchStatistics* global) {
  BalanceTotals totals;
  totals.value.resize(recipe.balance.size());
  if (layers.empty()) return totals;
  const auto count = static_cast<double>(layers.size());
  for (std::size_t i = 0; i < recipe.balance.size(); ++i) {
    const Term& term = recipe.balance[i];
    const Term::Layers joined = term.kind == Term::Kind::load ? term.layers : Term::Layers::separate;
    const double share = joined == Term::Layers::mean ? 1 / count : 1;
    double sum = 0;
    for (std::size_t l = 0; l < layers.size(); ++l)
      sum += layers[l]->balance[i].value = finishOne(*layers[l], l, i, term, share, global);
    totals.value[i] = joined == Term::Layers::concatenated ? finishConcatenated(layers, i, term, global) : sum / count;
    const double loss = term.coefficient * (joined == Term::Layers::separate ? sum : totals.value[i]);
    totals.loss += loss;
    if (term.kind == Term::Kind::z) totals.zLoss += loss;
  }
  return totals;
}

}  // namespace moe
