#pragma once
#include <cstdint>
#include <span>

#include "core/router/declarations.h"

namespace moe {

struct WeighRecipe {
  enum class Kind { score, renormalised, softmaxSelected, one } kind = Kind::renormalised;
  double epsilon = 0, scale = 1;
  enum class AppliesTo { output, input } appliesTo = AppliesTo::output;
  bool operator==(const WeighRecipe&) const = default;
};

/// What a person can set of the stage, and what is said of it.
const SettingTable<Recipe>& weighRows();

/// The tables one weighing reads. `set` (T, slots) experts, -1 unused; s and z (T, E), null where the recipe has no
/// router.
template <class S>
struct WeighInput {
  std::span<const std::int32_t> set;
  const S* scores = nullptr;
  const S* logits = nullptr;
  std::int64_t tokens = 0, slots = 0, experts = 0;
};

/// w (T, slots), scale included; 0 in unused slots and over an empty set.
template <class S>
void weigh(S* w, const WeighInput<S>& in, const WeighRecipe& recipe);

/// From dw (T, slots) to ds and dz (T, E). w: what `weigh` gave over the same set.
template <class S>
void weighBackward(S* ds /*+=*/, S* dz /*+=*/, const S* dw, const S* w, const WeighInput<S>& in,
                   const WeighRecipe& recipe);

}  // namespace moe
