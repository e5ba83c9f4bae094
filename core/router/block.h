#pragma once
#include <optional>

#include "core/router/declarations.h"

namespace moe {

struct BlockRecipe {
  enum class MoeReads { postAttention, preAttention } moeReads = MoeReads::postAttention;
  std::optional<double> normEpsilon;  // of the block's norms; absent: the model's
  static constexpr double kStandardNormEpsilon = 1e-5;
  bool operator==(const BlockRecipe&) const = default;
};

/// What a person can set of the stage, and what is said of it.
const SettingTable<Recipe>& blockRows();

}  // namespace moe
