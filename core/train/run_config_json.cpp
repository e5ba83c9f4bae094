#include <algorithm>
#include <charconv>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json_object.h"
#include "core/router/recipe_json.h"
#include "core/router/recipe_names.h"
#include "core/train/run_config.h"

namespace moe {
namespace {

using nlohmann::json;

constexpr Word<NormKind> kNorms[] = {{"rms", NormKind::rms}, {"layer", NormKind::layer}};
constexpr Word<Positions> kPositions[] = {{"rope", Positions::rope}, {"learned", Positions::learned}};
constexpr Word<TrainConfig::Schedule> kSchedules[] = {{"constant", TrainConfig::Schedule::constant},
                                                      {"cosine", TrainConfig::Schedule::cosine}};
constexpr Word<TrainConfig::Freeze> kFreezes[] = {{"none", TrainConfig::Freeze::none},
                                                  {"router", TrainConfig::Freeze::router},
                                                  {"experts", TrainConfig::Freeze::experts},
                                                  {"all_but_router", TrainConfig::Freeze::allButRouter}};
constexpr Word<TokenizerKind> kTokenizers[] = {
    {"bytes", TokenizerKind::bytes}, {"characters", TokenizerKind::characters}, {"bpe", TokenizerKind::bpe}};
constexpr Word<std::optional<DType>> kComputeTypes[] = {
    {"auto", std::nullopt}, {"f32", DType::f32}, {"f64", DType::f64}, {"bf16", DType::bf16}};

constexpr int kMostLayers = 1024;  // a typing error must not allocate gigabytes of layer settings

/// What the tokenizer will say once it is made; the characters of a text are counted only then.
int vocabularyOf(const DataConfig& data) { return data.tokenizer == TokenizerKind::bpe ? data.vocabulary : 256; }

Recipe readRecipe(const json& recipe) {
  if (recipe.is_object() && recipe.empty()) return {};  // a model without expert layers
  try {
    return recipeFromJson(recipe);
  } catch (const Error& error) {
    const std::string sentence = error.what(), prefix = "[" + error.tag() + "] ";
    throw Error("config", sentence.starts_with(prefix) ? sentence.substr(prefix.size()) : sentence);
  }
}

/// One hidden width for all layers, or a list of one a layer (a dense twin's layers may differ).
std::vector<int> readHidden(JsonObject& object, int layers, int fallback) {
  const json* value = object.take("hidden");
  if (!value) return std::vector<int>(static_cast<std::size_t>(layers), fallback);
  if (value->is_array()) {
    std::vector<int> list;
    object.read("hidden", list);
    if (list.size() != static_cast<std::size_t>(layers)) object.refuse("hidden", "an integer, or one a layer");
    return list;
  }
  int hidden = 0;
  object.read("hidden", hidden);
  return std::vector<int>(static_cast<std::size_t>(layers), hidden);
}

std::vector<bool> readDenseLayers(JsonObject& object, int layers) {
  std::vector<bool> dense(static_cast<std::size_t>(layers), false);
  const json* value = object.take("dense_layers");
  if (!value) return dense;
  if (*value == "all") return std::vector<bool>(static_cast<std::size_t>(layers), true);
  if (!value->is_array()) object.refuse("dense_layers", "\"all\" or a list of layer indices");
  std::vector<int> list;
  object.read("dense_layers", list);
  for (int layer : list) {
    if (layer < 0 || layer >= layers)
      object.refuse("dense_layers", "layer indices from 0 to " + std::to_string(layers - 1));
    dense[static_cast<std::size_t>(layer)] = true;
  }
  return dense;
}

/// Recipes of layers that differ from the one of all (experts were added to or taken from them): what is merged into it
/// (RFC 7396), by layer.
void readLayerRecipes(const json& patches, ModelConfig& config) {
  if (!patches.is_object())
    throw Error("config", "layer_recipes: expected {\"layer\": recipe ...}, found " + patches.dump().substr(0, 60));
  const json recipe = toJson(config.layers.front().recipe);
  for (const auto& [key, patch] : patches.items()) {
    std::size_t layer = config.layers.size();
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), layer);
    if (error != std::errc{} || end != key.data() + key.size() || layer >= config.layers.size())
      throw Error("config", "layer_recipes." + key + ": expected a layer from 0 to " +
                                std::to_string(config.layers.size() - 1) + ", found another");
    json merged = recipe;
    merged.merge_patch(patch);
    config.layers[layer].recipe = readRecipe(merged);
  }
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

json writeLayerRecipes(const ModelConfig& config) {
  json patches = json::object();
  const Recipe& all = config.layers.front().recipe;
  for (std::size_t layer = 1; layer < config.layers.size(); ++layer)
    if (const Recipe& own = config.layers[layer].recipe; !(own == all))
      patches[std::to_string(layer)] = patchBetween(toJson(all), toJson(own));
  return patches;
}

ModelConfig readModel(const json& model, const Recipe& recipe, int vocabulary) {
  ModelConfig config;
  JsonObject object(model, "config", "model");
  config.vocabulary = vocabulary;
  object.read("vocabulary", config.vocabulary);
  object.read("width", config.width);
  object.read("context", config.context);
  object.read("norm", config.norm, Words<NormKind>(kNorms));
  object.read("norm_epsilon", config.normEpsilon);
  object.read("positions", config.positions, Words<Positions>(kPositions));
  object.read("rope_theta", config.ropeTheta);
  object.read("tied_head", config.tiedHead);
  object.read("init_deviation", config.initDeviation);

  LayerConfig layer;
  layer.recipe = recipe;
  object.read("heads", layer.attention.heads);
  layer.attention.kvHeads = layer.attention.heads;
  layer.attention.headWidth = layer.attention.heads > 0 ? config.width / layer.attention.heads : 0;
  object.read("kv_heads", layer.attention.kvHeads);
  object.read("head_width", layer.attention.headWidth);
  int layers = 4;
  object.read("layers", layers);
  if (layers < 1 || layers > kMostLayers) object.refuse("layers", "1 to " + std::to_string(kMostLayers));

  std::vector<int> hidden(static_cast<std::size_t>(layers), layer.dense.hidden);
  if (const json* dense = object.take("dense")) {
    JsonObject part(*dense, "config", "model.dense");
    part.read("kind", layer.dense.kind, Words<ExpertKind>(kExpertKinds));
    part.read("activation", layer.dense.activation, Words<Activation>(kActivations));
    hidden = readHidden(part, layers, layer.dense.hidden);
    part.read("bias", layer.dense.bias);
    part.finish();
  }
  const std::vector<bool> dense = readDenseLayers(object, layers);
  object.finish();
  for (std::size_t i = 0; i < dense.size(); ++i) {
    layer.hasExperts = !dense[i];
    layer.dense.hidden = hidden[i];
    config.layers.push_back(layer);
  }
  return config;
}

json writeModel(const ModelConfig& config) {
  const LayerConfig first = config.layers.empty() ? LayerConfig{} : config.layers.front();
  std::vector<int> dense, hidden;
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    if (!config.layers[i].hasExperts) dense.push_back(static_cast<int>(i));
    hidden.push_back(config.layers[i].dense.hidden);
  }
  const bool sameHidden = std::all_of(hidden.begin(), hidden.end(), [&](int width) { return width == hidden.front(); });
  return {{"vocabulary", config.vocabulary},
          {"width", config.width},
          {"context", config.context},
          {"norm", nameIn(kNorms, config.norm)},
          {"norm_epsilon", config.normEpsilon},
          {"positions", nameIn(kPositions, config.positions)},
          {"rope_theta", config.ropeTheta},
          {"tied_head", config.tiedHead},
          {"init_deviation", config.initDeviation},
          {"heads", first.attention.heads},
          {"kv_heads", first.attention.kvHeads},
          {"head_width", first.attention.headWidth},
          {"layers", config.layers.size()},
          {"dense_layers", dense.size() == config.layers.size() ? json("all") : json(dense)},
          {"dense",
           {{"kind", nameIn(kExpertKinds, first.dense.kind)},
            {"activation", nameIn(kActivations, first.dense.activation)},
            {"hidden", sameHidden ? json(first.dense.hidden) : json(hidden)},
            {"bias", first.dense.bias}}}};
}

/// "2:5": layer and expert.
std::vector<ExpertPlace> readPlaces(JsonObject& object, const char* key) {
  std::vector<ExpertPlace> places;
  const json* list = object.take(key);
  if (!list) return places;
  const std::string expected = "a list of layer:expert, such as [\"2:5\"]";
  if (!list->is_array()) object.refuse(key, expected);
  for (const json& each : *list) {
    ExpertPlace place;
    int read = 0;
    if (!each.is_string() ||
        std::sscanf(each.get_ref<const std::string&>().c_str(), "%9d:%9d%n", &place.layer, &place.expert, &read) != 2 ||
        static_cast<std::size_t>(read) != each.get_ref<const std::string&>().size())
      object.refuse(key, expected);
    places.push_back(place);
  }
  std::ranges::sort(places);
  places.erase(std::unique(places.begin(), places.end()), places.end());
  return places;
}

json writePlaces(const std::vector<ExpertPlace>& places) {
  json list = json::array();
  for (const ExpertPlace& place : places) list.push_back(textOf(place));
  return list;
}

TrainConfig readTrain(const json& train) {
  TrainConfig config;
  JsonObject object(train, "config", "train");
  object.read("steps", config.steps);
  object.read("batch", config.batch);
  object.read("micro_batches", config.microBatches);
  object.read("learning_rate", config.learningRate);
  object.read("schedule", config.schedule, Words<TrainConfig::Schedule>(kSchedules));
  object.read("warmup", config.warmup);
  object.read("final_share", config.finalShare);
  object.read("beta1", config.beta1);
  object.read("beta2", config.beta2);
  object.read("epsilon", config.epsilon);
  object.read("weight_decay", config.weightDecay);
  object.read("clip", config.clip);
  object.read("recompute", config.recompute);
  object.read("validate_every", config.validateEvery);
  object.read("checkpoint_every", config.checkpointEvery);
  object.read("freeze", config.freeze, Words<TrainConfig::Freeze>(kFreezes));
  config.frozenExperts = readPlaces(object, "frozen_experts");
  object.finish();
  return config;
}

json writeTrain(const TrainConfig& config) {
  return {{"steps", config.steps},
          {"batch", config.batch},
          {"micro_batches", config.microBatches},
          {"learning_rate", config.learningRate},
          {"schedule", nameIn(kSchedules, config.schedule)},
          {"warmup", config.warmup},
          {"final_share", config.finalShare},
          {"beta1", config.beta1},
          {"beta2", config.beta2},
          {"epsilon", config.epsilon},
          {"weight_decay", config.weightDecay},
          {"clip", config.clip},
          {"recompute", config.recompute},
          {"validate_every", config.validateEvery},
          {"checkpoint_every", config.checkpointEvery},
          {"freeze", nameIn(kFreezes, config.freeze)},
          {"frozen_experts", writePlaces(config.frozenExperts)}};
}

DataConfig readData(const json& data) {
  DataConfig config;
  JsonObject object(data, "config", "data");
  object.readBytes("source", config.source);
  object.read("tokenizer", config.tokenizer, Words<TokenizerKind>(kTokenizers));
  object.read("vocabulary", config.vocabulary);
  object.read("held_out", config.heldOut);
  object.read("corpus_seed", config.corpusSeed);
  object.finish();
  return config;
}

json writeData(const DataConfig& config) {
  return {{"source", bytesJson(config.source)},
          {"tokenizer", nameIn(kTokenizers, config.tokenizer)},
          {"vocabulary", config.vocabulary},
          {"held_out", config.heldOut},
          {"corpus_seed", config.corpusSeed}};
}

AlertConfig readAlerts(const json& alerts) {
  AlertConfig config;
  JsonObject object(alerts, "config", "alerts");
  object.read("threshold", config.threshold);
  object.read("clears", config.clears);
  object.read("window", config.window);
  if (const json* restart = object.take("restart")) {
    JsonObject part(*restart, "config", "alerts.restart");
    part.read("retries", config.restarts);
    part.read("dropout_step", config.dropoutStep);
    part.finish();
  }
  object.finish();
  return config;
}

}  // namespace

std::string withExpertFrozen(const TrainConfig& train, ExpertPlace place, bool frozen) {
  std::vector<ExpertPlace> places = train.frozenExperts;
  std::erase(places, place);
  if (frozen) places.insert(std::ranges::upper_bound(places, place), place);
  return writePlaces(places).dump();
}

RunConfig runConfigFromJson(const json& source) {
  RunConfig config;
  JsonObject object(source, "config", "");
  object.read("preset", config.preset);
  object.readBytes("label", config.label);
  object.read("seed", config.seed);
  object.read("threads", config.threads);
  object.read("backend", config.backend);
  object.read("dtype", config.computeType, Words<std::optional<DType>>(kComputeTypes));
  if (const json* train = object.take("train")) config.train = readTrain(*train);
  if (const json* data = object.take("data")) config.data = readData(*data);
  if (const json* alerts = object.take("alerts")) config.alerts = readAlerts(*alerts);
  if (const json* start = object.take("start_from")) {
    JsonObject part(*start, "config", "start_from");
    part.readBytes("checkpoint", config.startFrom.checkpoint);
    part.finish();
  }
  const json* recipe = object.take("recipe");
  const json* model = object.take("model");
  const json* layerRecipes = object.take("layer_recipes");
  object.finish();
  config.model =
      readModel(model ? *model : json::object(), recipe ? readRecipe(*recipe) : Recipe{}, vocabularyOf(config.data));
  if (layerRecipes) readLayerRecipes(*layerRecipes, config.model);
  return config;
}

json toJson(const RunConfig& config) {
  return {{"preset", config.preset},
          {"label", bytesJson(config.label)},
          {"recipe", config.model.layers.empty() ? json::object() : toJson(config.model.layers.front().recipe)},
          {"layer_recipes", config.model.layers.empty() ? json::object() : writeLayerRecipes(config.model)},
          {"model", writeModel(config.model)},
          {"train", writeTrain(config.train)},
          {"data", writeData(config.data)},
          {"alerts",
           {{"threshold", config.alerts.threshold},
            {"clears", config.alerts.clears},
            {"window", config.alerts.window},
            {"restart", {{"retries", config.alerts.restarts}, {"dropout_step", config.alerts.dropoutStep}}}}},
          {"start_from", {{"checkpoint", bytesJson(config.startFrom.checkpoint)}}},
          {"seed", config.seed},
          {"threads", config.threads},
          {"backend", config.backend},
          {"dtype", nameIn(kComputeTypes, config.computeType)}};
}

}  // namespace moe
