#include "core/router/recipe_rows.h"

#include "core/router/recipe_json.h"

namespace moe {

const SettingRows<Recipe>& recipeRows() {
  static const SettingRows<Recipe> all(
      {expertsRows(), logitsRows(), perturbRows(), scoreRows(), adjustRows(), selectRows(), weighRows(), capacityRows(),
       combineRows(), blockRows(), headRows()},
      {balanceList(), headLossList()});
  return all;
}

Recipe recipeFromJson(const nlohmann::json& json, const std::string& path) {
  Recipe recipe;
  recipeRows().read(json, recipe, {"recipe", path});
  return recipe;
}

nlohmann::json toJson(const Recipe& recipe) { return recipeRows().write(recipe); }

}  // namespace moe
