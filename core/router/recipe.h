#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "core/config/problem.h"
#include "core/router/adjust.h"
#include "core/router/balance.h"
#include "core/router/block.h"
#include "core/router/capacity.h"
#include "core/router/combine.h"
#include "core/router/experts.h"
#include "core/router/head.h"
#include "core/router/logits.h"
#include "core/router/perturb.h"
#include "core/router/score.h"
#include "core/router/select.h"
#include "core/router/weigh.h"

namespace moe {

/// Everything that determines one MoE layer's computation, in the order a token passes it. Keys, values, defaults and
/// formulas are those of the recipe vocabulary; `recipe_json.h` reads and writes it. An aggregate: no invariants here,
/// `problems(recipe)` says what is refused and why.
struct Recipe {
  // Every stage keeps its own settings, beside its mathematics; here they have the names of the vocabulary.
  using Experts = ExpertsRecipe;
  using Logits = LogitsRecipe;
  using Perturb = PerturbRecipe;
  using Score = ScoreKind;
  using Adjust = AdjustRecipe;
  using Select = SelectRecipe;
  using Weigh = WeighRecipe;
  using Capacity = CapacityRecipe;
  using Combine = CombineRecipe;
  using Block = BlockRecipe;
  using Head = HeadRecipe;
  using BalanceTerm = moe::BalanceTerm;

  Experts experts;
  Logits logits;
  Perturb perturb;
  Score score = Score::softmax;
  Adjust adjust;
  Select select;
  Weigh weigh;
  Capacity capacity;
  Combine combine;
  Block block;
  Head head;
  std::vector<BalanceTerm> balance;

  bool operator==(const Recipe&) const = default;

  /// Hidden width of expert e.
  std::int64_t hiddenOf(int e) const {
    return experts.hidden.empty() ? 0 : experts.hidden[experts.hidden.size() == 1 ? 0 : static_cast<std::size_t>(e)];
  }
  /// Slots a token: k, 1 for hash and assignment, E for top_p, all and expert_choice.
  int slotsPerToken() const {
    switch (select.kind) {
      case Select::Kind::topK: return select.k;
      case Select::Kind::hash:
      case Select::Kind::assignment: return 1;
      default: return experts.count;
    }
  }
};

/// Every token asks every expert, so that assignments count by their weights (Jacobs et al. 1991).
inline bool asksEveryExpert(const Recipe& recipe) { return recipe.select.kind == Recipe::Select::Kind::all; }
/// The columns of a token's choices are experts, not choices in order: its first is the one of the largest weight.
inline bool slotsAreExperts(const Recipe& recipe) {
  return asksEveryExpert(recipe) || recipe.select.kind == Recipe::Select::Kind::expertChoice;
}

/// Everything wrong with a recipe by itself (not with its fit to a model). Empty: it may be trained. A router that does
/// not learn needs no gradient, so its weights may be constant.
std::vector<Problem> problems(const Recipe& recipe, bool routerLearns = true);

}  // namespace moe
