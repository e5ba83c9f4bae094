#pragma once
#include <optional>

#include "core/router/declarations.h"
#include "core/router/experts.h"

namespace moe {

struct CombineRecipe {
  struct Shared {
    int count = 1;
    int hidden = 0;
    bool tokenGate = false;  // sigmoid(w_s . x), one number a token
    bool operator==(const Shared&) const = default;
  };
  std::optional<Shared> shared;
  struct DenseResidual {
    ExpertKind kind = ExpertKind::glu;
    Activation activation = Activation::silu;
    int hidden = 0;
    bool bias = false;
    bool operator==(const DenseResidual&) const = default;
  };
  std::optional<DenseResidual> denseResidual;
  double expertDropout = 0;  // on the hidden activation of routed experts
  bool operator==(const CombineRecipe&) const = default;
};

/// What a person can set of the stage, and what is said of it.
const SettingTable<Recipe>& combineRows();

}  // namespace moe
