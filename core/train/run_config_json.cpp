#include <charconv>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/model/model_rows.h"
#include "core/router/recipe_json.h"
#include "core/router/recipe_rows.h"
#include "core/train/run_config.h"
#include "core/train/run_rows.h"

namespace moe {
namespace {

using nlohmann::json;

/// What the tokenizer will say once it is made; the characters of a text are counted only then.
int vocabularyOf(const DataConfig& data) { return data.tokenizer == TokenizerKind::bpe ? data.vocabulary : 256; }

Recipe readRecipe(const json& source) {
  Recipe recipe;
  if (source.is_object() && source.empty()) return recipe;  // a model without expert layers
  recipeRows().read(source, recipe, {"config", {}});
  return recipe;
}

/// What differs in single layers, by layer: {"2": {...}}. `take` gets each.
template <class Take>
void eachLayer(const json& source, const char* key, const ModelConfig& model, const Take& take) {
  if (!source.contains(key)) return;
  const json& patches = source[key];
  if (!patches.is_object()) refuseValue({"config", key}, patches, "{\"layer\": what differs there ...}");
  for (const auto& [name, patch] : patches.items()) {
    std::size_t layer = model.layers.size();
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), layer);
    if (error != std::errc{} || end != name.data() + name.size() || layer >= model.layers.size())
      throw Error("config", std::string(key) + "." + name + ": expected a layer from 0 to " +
                                std::to_string(model.layers.size() - 1) + ", found another");
    take(layer, patch);
  }
}

/// Recipes of layers that differ from the one of all (experts were added to or taken from them): what is merged into it
/// (RFC 7396).
void readLayerRecipes(const json& source, ModelConfig& model) {
  const json recipe = toJson(model.layers.front().recipe);
  eachLayer(source, "layer_recipes", model, [&](std::size_t layer, const json& patch) {
    json merged = recipe;
    merged.merge_patch(patch);
    model.layers[layer].recipe = readRecipe(merged);
  });
}

const SettingRows<LayerConfig>& layerRows() {
  static const SettingRows<LayerConfig> rows({attentionRows()});
  return rows;
}

/// Attention of layers that differs from the first one's, with the keys that it has under "model".
void readLayerAttention(const json& source, ModelConfig& model) {
  eachLayer(source, "layer_attention", model, [&](std::size_t layer, const json& patch) {
    layerRows().read(patch, model.layers[layer], {"config", "layer_attention." + std::to_string(layer)});
  });
}

/// What merged into `base` gives `wanted`.
json patchBetween(const json& base, const json& wanted) {
  json patch = json::object();
  for (const auto& [key, value] : base.items())
    if (!wanted.contains(key)) patch[key] = nullptr;
  for (const auto& [key, value] : wanted.items()) {
    if (!base.contains(key) || (base[key] != value && !(base[key].is_object() && value.is_object())))
      patch[key] = value;
    else if (base[key] != value)
      patch[key] = patchBetween(base[key], value);
  }
  return patch;
}

json writeLayerRecipes(const ModelConfig& model) {
  json patches = json::object();
  for (std::size_t layer = 1; layer < model.layers.size(); ++layer)
    if (const Recipe& all = model.layers.front().recipe, &own = model.layers[layer].recipe; !(own == all))
      patches[std::to_string(layer)] = patchBetween(toJson(all), toJson(own));
  return patches;
}

json writeLayerAttention(const ModelConfig& model) {
  json patches = json::object();
  for (std::size_t layer = 1; layer < model.layers.size(); ++layer)
    if (const AttentionConfig& all = model.layers.front().attention, &own = model.layers[layer].attention; own != all)
      patches[std::to_string(layer)] = layerRows().complete(model.layers[layer]);
  return patches;
}

}  // namespace

RunConfig runConfigFromJson(const json& source) {
  RunConfig config;
  LayerConfig layer;
  if (source.is_object() && source.contains("recipe")) layer.recipe = readRecipe(source["recipe"]);
  config.model.layers.assign(kUsualLayers, layer);
  runRows().read(source, config, {"config", {}}, {"recipe", "layer_recipes", "layer_attention"});
  if (!source.contains("model") || !source["model"].contains("vocabulary"))
    config.model.vocabulary = vocabularyOf(config.data);
  readLayerRecipes(source, config.model);
  readLayerAttention(source, config.model);
  return config;
}

json toJson(const RunConfig& config) {
  json out = runRows().complete(config);
  out["recipe"] = config.model.layers.empty() ? json::object() : toJson(config.model.layers.front().recipe);
  out["layer_recipes"] = writeLayerRecipes(config.model);
  if (json attention = writeLayerAttention(config.model); !attention.empty())
    out["layer_attention"] = std::move(attention);
  return out;
}

}  // namespace moe
