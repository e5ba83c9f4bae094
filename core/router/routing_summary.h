#pragma once
#include <cstdint>
#include <span>

#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

/// What a training step says about one layer's routing of one batch, as one row of f64 that a device can fill and the
/// host reads later: six sums, then lists. Sums of two batches are the sum of their rows.
struct RoutingSummary {
  std::span<double> row;
  std::int64_t experts = 0;

  static std::int64_t size(std::int64_t experts, std::size_t terms) {
    return kScalars + 4 * experts + static_cast<std::int64_t>(terms);
  }
  double& dropped() const { return row[0]; }        // assignments without a slot
  double& droppedTokens() const { return row[1]; }  // tokens that were admitted nowhere, whether they asked or not
  double& entropy() const { return row[2]; }        // over tokens, of H(p_t), nats
  double& marginTokens() const { return row[3]; }   // tokens that have a margin: MarginSums
  double& margin() const { return row[4]; }         // their margins
  double& jaccard() const { return row[5]; }        // over tokens, of the selection with the selection bias and without
  std::span<double> counts() const { return list(0); }      // (E) asked assignments
  std::span<double> admitted() const { return list(1); }    // (E) of these, with a slot
  std::span<double> weights() const { return list(2); }     // (E) sums of weights where every token asks every expert
  std::span<double> importance() const { return list(3); }  // (E) sums of p_te
  std::span<double> balance() const { return row.subspan(static_cast<std::size_t>(kScalars + 4 * experts)); }

  static constexpr std::int64_t kScalars = 6;

 private:
  std::span<double> list(std::int64_t index) const {
    return row.subspan(static_cast<std::size_t>(kScalars + index * experts), static_cast<std::size_t>(experts));
  }
};

/// Fills the row. Not `measuring`: all but the dropped, the counts, the admitted and the weights stays 0.
/// `unbiasedRoom` is kept by the caller: the tokens' selection without the selection bias.
void summarise(const RoutingSummary& out, const Routing& routing, const Recipe& recipe, bool measuring,
               Routing& unbiasedRoom);

}  // namespace moe
