#pragma once
#include <optional>

#include "core/router/declarations.h"

namespace moe {

struct AdjustRecipe {
  enum class RankBy { scores, logits } rankBy = RankBy::scores;
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

/// routing.ranking r from scores or logits (with noise), + selection bias, -inf for masked experts and outside the kept
/// groups; groupScores and groupIndex where there are groups. Const: nothing flows back.
template <class S>
void adjust(Routing& routing, const Recipe& recipe, const RoutingInput& input);

}  // namespace moe
