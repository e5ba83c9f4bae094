#pragma once
#include "core/golden/golden_roles.h"
#include "core/golden/golden_vector.h"

namespace moe {

/// Throws Error("golden") for widths and counts that no tensor could have. Before anything is measured by them.
void refuseSizes(const GoldenVector& file, const Recipe& recipe);

/// Throws Error("golden") for a recipe that could not be run on these sizes: numbers out of range, and options that the
/// file format has no role for. Recipes that train badly are none of its business.
void refuseUnrunnable(const GoldenVector& file, const Recipe& recipe, const GoldenSizes& sizes);

}  // namespace moe
