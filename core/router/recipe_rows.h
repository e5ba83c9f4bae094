#pragma once
#include "core/config/rows.h"
#include "core/router/recipe.h"

namespace moe {

/// Every setting of a recipe: the stages in the order a token passes them, then what is no stage (block, head).
const SettingRows<Recipe>& recipeRows();

}  // namespace moe
