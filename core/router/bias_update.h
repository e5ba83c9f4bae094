#pragma once
#include <cstdint>
#include <span>

#include "core/router/recipe.h"

namespace moe {

/// One update of the selection bias (E) after an optimiser step, from the asked assignments of each expert over the
/// whole global batch. sign: b += rate * sign(mean c - c), sign(0) = 0. proportional: b += rate * (mean c - c) / mean
/// c. No assignments at all: no change.
void updateSelectionBias(std::span<float> bias, std::span<const std::int64_t> counts,
                         const Recipe::Adjust::SelectionBias& rule);
void updateSelectionBias(std::span<double> bias, std::span<const std::int64_t> counts,
                         const Recipe::Adjust::SelectionBias& rule);

}  // namespace moe
