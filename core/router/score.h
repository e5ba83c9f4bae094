#pragma once
#include <cstdint>

#include "core/router/declarations.h"

namespace moe {

enum class ScoreKind { softmax, sigmoid, identity };

/// What a person can set of the stage, and what is said of it.
const SettingTable<Recipe>& scoreRows();

/// s (T, E) from z (T, E). keep (E) of 0/1 or null: a masked expert counts as z = -inf.
template <class S>
void score(S* s, const S* z, const S* keep, ScoreKind kind, std::int64_t tokens, std::int64_t experts);

/// dz += what ds brings through s.
template <class S>
void scoreBackward(S* dz /*+=*/, const S* ds, const S* s, ScoreKind kind, std::int64_t tokens, std::int64_t experts);

}  // namespace moe
