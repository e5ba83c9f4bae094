#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/router/declarations.h"

namespace moe {

struct AdjustRecipe {
  enum class RankBy { scores, logits, sinkhorn } rankBy = RankBy::scores;
  struct Sinkhorn {
    double tolerance = 1e-4, epsilon = 1e-8;
    bool operator==(const Sinkhorn&) const = default;
  } sinkhorn;
  struct SelectionBias {
    double rate = 0.001;
    enum class Update { sign, proportional } update = Update::sign;
    bool operator==(const SelectionBias&) const = default;
  };
  std::optional<SelectionBias> selectionBias;
  struct ExpertGroups {
    int count = 1, keep = 1;
    enum class By { max, top2Sum } by = By::max;
    bool operator==(const ExpertGroups&) const = default;
  };
  std::optional<ExpertGroups> expertGroups;
  bool operator==(const AdjustRecipe&) const = default;
};

/// What a person can set of the stage, and what is said of it.
const SettingTable<Recipe>& adjustRows();

/// Sinkhorn's balanced transport plan of z (T, E), as S-BASE routes by (Clark et al. 2022, as Megatron-LM computes it): with
/// K = exp z and d = 1, a_t = 1 / (T (sum_e d_e K_te + epsilon)) and d'_e = 1 / (E (sum_t a_t K_te + epsilon)) until
/// mean |d' - d| <= tolerance; plan = d'_e K_te a_t. In f64: exp overflows f32 above z = 88.
struct TransportPlan {
  std::vector<double> scale;  // (E) d'
  std::vector<double> plan;   // (T, E)
  int iterations = 0;
};
template <class S>
void transportPlan(TransportPlan& out, const S* z, std::int64_t tokens, std::int64_t experts,
                   const AdjustRecipe::Sinkhorn& settings);

/// routing.ranking r from scores, logits or, in training, their transport plan (with noise), + selection bias, -inf for masked experts and outside the kept
/// groups; groupScores and groupIndex where there are groups. Const: nothing flows back.
template <class S>
void adjust(Routing& routing, const Recipe& recipe, const RoutingInput& input);

}  // namespace moe
