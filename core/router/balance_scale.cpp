#include "core/router/balance_scale.h"

#include <cassert>

namespace moe {
namespace {

using Term = Recipe::BalanceTerm;

BalanceScale loadScale(const Recipe& recipe, const Term& term, double assignments) {
  const bool first = term.counts == Term::Counts::first || recipe.slotsPerToken() == 1;
  const double n = term.counts == Term::Counts::first ? 1 : assignments;
  const auto experts = static_cast<double>(recipe.experts.count);
  BalanceScale scale{.kind = BalanceScale::Kind::ratio, .atBalance = n, .convention = {}, .formula = {}};
  switch (term.normalisation) {
    case Term::Normalisation::unit:
      scale.atBalance = 1;
      scale.formula = "E/n \u03a3 f P";
      scale.convention = first                               ? "Switch Transformer: first choices"
                         : term.layers == Term::Layers::mean ? "megablocks: divided by k, mean of layers"
                                                             : "Megatron-LM: divided by k";
      break;
    case Term::Normalisation::perToken:
      scale.formula = "E \u03a3 f P";
      scale.convention = first                                       ? "Switch Transformer: first choices"
                         : term.layers == Term::Layers::concatenated ? "Hugging Face: k times, layers concatenated"
                                                                     : "Hugging Face: k times, layer by layer";
      break;
    case Term::Normalisation::mean:
      scale.atBalance = n / (experts * experts);
      scale.formula = "1/E \u03a3 f P";
      scale.convention = "Lepikhin 2020: mean over experts, n/E\u00b2";
      break;
  }
  return scale;
}

}  // namespace

BalanceScale balanceScale(const Recipe& recipe, std::size_t term, double assignments) {
  assert(term < recipe.balance.size());
  const Term& one = recipe.balance[term];
  switch (one.kind) {
    case Term::Kind::load: return loadScale(recipe, one, assignments);
    case Term::Kind::device: return {BalanceScale::Kind::ratio, 1, "Dai 2024: blocks of experts", {}};
    case Term::Kind::communication:
      // At balance a token reaches M blocks; fewer is below 1.
      return {BalanceScale::Kind::ratio, 1, "tokens sent to M of D blocks", {}};
    case Term::Kind::importanceCv2:
    case Term::Kind::loadCv2: return {BalanceScale::Kind::oneAbove, 0, "squared variation: 0 at balance", {}};
    case Term::Kind::z:
    case Term::Kind::entropy: return {};
  }
  return {};
}

std::optional<double> scaledValue(const BalanceScale& scale, double value) {
  switch (scale.kind) {
    case BalanceScale::Kind::ratio: return scale.atBalance > 0 ? std::optional(value / scale.atBalance) : std::nullopt;
    case BalanceScale::Kind::oneAbove: return 1 + value;
    case BalanceScale::Kind::none: break;
  }
  return std::nullopt;
}

}  // namespace moe
