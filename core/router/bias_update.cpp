#include "core/router/bias_update.h"

#include <cassert>
#include <cstddef>

namespace moe {
namespace {

template <class S>
void update(std::span<S> bias, std::span<const std::int64_t> counts, const Recipe::Adjust::SelectionBias& rule) {
  assert(bias.size() == counts.size());
  std::int64_t total = 0;
  for (std::int64_t c : counts) total += c;
  if (total == 0) return;
  const auto experts = static_cast<std::int64_t>(counts.size());
  for (std::size_t e = 0; e < bias.size(); ++e) {
    // E * (mean c - c) is an integer: its sign is exact, and zero is zero.
    const std::int64_t missing = total - counts[e] * experts;
    const double move = rule.update == Recipe::Adjust::SelectionBias::Update::sign
                            ? static_cast<double>((missing > 0) - (missing < 0))
                            : static_cast<double>(missing) / static_cast<double>(total);
    bias[e] = static_cast<S>(static_cast<double>(bias[e]) + rule.rate * move);
  }
}

}  // namespace

void updateSelectionBias(std::span<float> bias, std::span<const std::int64_t> counts,
                         const Recipe::Adjust::SelectionBias& rule) {
  update(bias, counts, rule);
}
void updateSelectionBias(std::span<double> bias, std::span<const std::int64_t> counts,
                         const Recipe::Adjust::SelectionBias& rule) {
  update(bias, counts, rule);
}

}  // namespace moe
