#include <algorithm>

#include "core/model/config.h"

namespace moe {

std::optional<Recipe> headRecipe(const ModelConfig& config) {
  if (config.layers.empty() || config.layers.front().recipe.head.kind != Recipe::Head::Kind::mixture) return {};
  Recipe recipe = config.layers.front().recipe;
  recipe.experts.outputWidth = config.vocabulary;
  recipe.experts.init = Recipe::Experts::Init::random;
  return recipe;
}

bool isRouted(const ModelConfig& config) {
  return headRecipe(config).has_value() ||
         std::ranges::any_of(config.layers, [](const LayerConfig& layer) { return layer.hasExperts; });
}

}  // namespace moe
