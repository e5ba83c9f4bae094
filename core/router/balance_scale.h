#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

#include "core/router/recipe.h"

namespace moe {

/// Where a balance term's value stands at perfect balance (f and P uniform), so that terms of every convention can be
/// read on one scale on which 1 is perfect.
struct BalanceScale {
  enum class Kind {
    none,     // z, entropy: they balance nothing
    ratio,    // scaled = value / atBalance
    oneAbove  // CV^2 forms, 0 at balance: scaled = 1 + value = E sum of squared shares
  } kind = Kind::none;
  double atBalance = 0;
  std::string_view convention;  // whose normalisation it is
  std::string_view formula;     // of the value, where it depends on the normalisation; else empty: the kind's own
};
/// `assignments`: asked a token, as counted (k where every token has k).
BalanceScale balanceScale(const Recipe& recipe, std::size_t term, double assignments);
/// Nothing for terms that balance nothing.
std::optional<double> scaledValue(const BalanceScale& scale, double value);

}  // namespace moe
