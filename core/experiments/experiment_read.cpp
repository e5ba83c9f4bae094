#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "core/base/error.h"
#include "core/base/json_object.h"
#include "core/experiments/experiment.h"
#include "core/experiments/experiment_files.h"
#include "core/experiments/measures.h"

namespace moe {
namespace {

using nlohmann::json;
using Settings = std::vector<std::pair<std::string, std::string>>;

constexpr std::int64_t kMostSteps = 1'000'000;
constexpr std::pair<std::string_view, Band::Reading> kReadings[] = {{"each", Band::Reading::eachSeed},
                                                                    {"mean", Band::Reading::mean}};

/// Words that must be there.
void readText(JsonObject& object, const char* key, std::string& out) {
  object.read(key, out);
  if (out.empty()) object.refuse(key, "a text");
}

void readSteps(JsonObject& object, std::int64_t& out) {
  object.read("steps", out);
  if (out < 1 || out > kMostSteps) object.refuse("steps", "1 to " + std::to_string(kMostSteps));
}

const json& listOf(JsonObject& object, const char* key) {
  const json* list = object.take(key);
  if (!list || !list->is_array() || list->empty()) object.refuse(key, "a list with at least one entry");
  return *list;
}

Settings readSettings(JsonObject& object) {
  Settings settings;
  const json* set = object.take("set");
  if (!set) return settings;
  if (!set->is_object()) object.refuse("set", "an object of settings by dotted path");
  for (const auto& [path, value] : set->items()) settings.emplace_back(path, value.dump());
  return settings;
}

std::vector<std::uint64_t> readSeeds(JsonObject& object) {
  std::vector<std::uint64_t> seeds;
  for (const json& seed : listOf(object, "seeds")) {
    if (!seed.is_number_unsigned()) object.refuse("seeds", "numbers from 0");
    if (std::ranges::find(seeds, seed.get<std::uint64_t>()) != seeds.end()) object.refuse("seeds", "each seed once");
    seeds.push_back(seed.get<std::uint64_t>());
  }
  return seeds;
}

Arm readArm(const json& value, const std::string& path, const Settings& common) {
  JsonObject object(value, kExperimentTag, path);
  Arm arm;
  readText(object, "name", arm.name);
  readText(object, "preset", arm.preset);
  if (object.has("steps")) readSteps(object, arm.steps.emplace());
  arm.set = common;
  const Settings own = readSettings(object);
  arm.set.insert(arm.set.end(), own.begin(), own.end());
  object.read("dense_twin", arm.denseTwin);
  object.read("grown_from", arm.grownFrom);
  object.finish();
  return arm;
}

std::string readMeasure(JsonObject& object, const char* key, const Experiment& experiment) {
  std::string name;
  readText(object, key, name);
  if (!measureNamed(name).measure) {
    std::string known;
    for (const Measure& measure : measures()) known += std::string(measure.id) + ", ";
    object.refuse(key, "one of " + known + "validation_loss@STEP");
  }
  for (const Arm& arm : experiment.arms)
    if (measureNamed(name).step > arm.steps.value_or(experiment.steps))
      object.refuse(key, "a step that every arm reaches");
  return name;
}

/// "arm" and "measure" of an object; those it does not name are `like`'s.
Quantity readQuantity(JsonObject& object, const Experiment& experiment, const Quantity& like) {
  Quantity quantity = like;
  if (object.has("arm") || like.arm.empty()) readText(object, "arm", quantity.arm);
  if (std::ranges::find(experiment.arms, quantity.arm, &Arm::name) == experiment.arms.end())
    object.refuse("arm", "the name of an arm");
  if (object.has("measure") || like.measure.empty()) quantity.measure = readMeasure(object, "measure", experiment);
  return quantity;
}

Band readBand(const json& value, const std::string& path, const Experiment& experiment) {
  JsonObject object(value, kExperimentTag, path);
  Band band;
  readText(object, "says", band.says);
  band.of = readQuantity(object, experiment, {});
  for (const auto& [key, against] :
       {std::pair{"minus", Band::Against::minus}, std::pair{"over", Band::Against::over}}) {
    const json* other = object.take(key);
    if (!other) continue;
    if (band.against != Band::Against::nothing) object.refuse(key, "minus or over, not both");
    band.against = against;
    JsonObject part(*other, kExperimentTag, object.pathOf(key));
    band.other = readQuantity(part, experiment, band.of);
    part.finish();
  }
  object.read("seeds", band.reading, Words<Band::Reading>(kReadings));
  for (const auto& [key, bound] : {std::pair{"at_least", &band.atLeast}, std::pair{"at_most", &band.atMost}})
    if (object.has(key)) object.read(key, bound->emplace());
  if (object.has("within_seeds_of")) {
    readText(object, "within_seeds_of", band.withinSeedsOf);
    const bool alone = !band.atLeast && !band.atMost && band.reading == Band::Reading::mean;
    if (std::ranges::find(experiment.arms, band.withinSeedsOf, &Arm::name) == experiment.arms.end() || !alone ||
        experiment.seeds.size() < 2)
      object.refuse("within_seeds_of", "the name of an arm of several seeds, for a mean without other bounds");
  } else if (!band.atLeast && !band.atMost) {
    object.refuse("at_least", "a bound: at_least, at_most, both or within_seeds_of");
  }
  if (band.atLeast && band.atMost && *band.atLeast > *band.atMost) object.refuse("at_most", "no less than at_least");
  object.finish();
  return band;
}

/// Every arm must make a configuration that may start, before any is trained.
void checkArms(const Experiment& experiment) {
  std::set<std::string> names;
  for (std::size_t i = 0; i < experiment.arms.size(); ++i) {
    const Arm& arm = experiment.arms[i];
    const auto refuse = [&](const std::string& sentence) {
      throw Error(kExperimentTag, "arms." + std::to_string(i) + sentence);
    };
    if (!arm.grownFrom.empty() && !names.contains(arm.grownFrom))
      refuse(".grown_from: expected the name of an arm before this one, found " + arm.grownFrom);
    if (!names.insert(arm.name).second) refuse(".name: expected each name once, found " + arm.name + " again");
    RunConfig config;
    try {
      config = configOf(experiment, arm, experiment.seeds.front());
    } catch (const Error& error) {
      refuse(std::string(": expected settings that fit its preset, found: ") + error.what());
    }
    if (const std::vector<Problem> found = problems(config); !found.empty())
      refuse(": expected a run that may start, found: " + found.front().path + ": " + found.front().sentence);
  }
}

Experiment read(const json& value) {
  Experiment experiment;
  JsonObject object(value, kExperimentTag, "");
  int order = 0;
  object.read("order", order);
  readText(object, "title", experiment.title);
  readText(object, "question", experiment.question);
  readText(object, "claim", experiment.claim);
  readText(object, "source", experiment.source);
  readText(object, "here", experiment.here);
  if (object.has("text")) readText(object, "text", experiment.text);
  readSteps(object, experiment.steps);
  experiment.seeds = readSeeds(object);
  const Settings common = readSettings(object);
  const json& arms = listOf(object, "arms");
  for (std::size_t i = 0; i < arms.size(); ++i)
    experiment.arms.push_back(readArm(arms[i], "arms." + std::to_string(i), common));
  checkArms(experiment);
  for (const json& name : listOf(object, "measures")) {
    const json one{{"measures", name}};  // so that a refusal shows the entry
    JsonObject entry(one, kExperimentTag, "");
    experiment.measures.push_back(readMeasure(entry, "measures", experiment));
  }
  const json& bands = listOf(object, "bands");
  for (std::size_t i = 0; i < bands.size(); ++i)
    experiment.bands.push_back(readBand(bands[i], "bands." + std::to_string(i), experiment));
  object.finish();
  return experiment;
}

}  // namespace

Experiment experimentFromJson(const json& value, const std::string& id) {
  try {
    Experiment experiment = read(value);
    experiment.id = id;
    return experiment;
  } catch (const Error& error) {
    const std::string sentence = error.what(), prefix = "[" + error.tag() + "] ";
    throw Error(kExperimentTag, id + ": " + (sentence.starts_with(prefix) ? sentence.substr(prefix.size()) : sentence));
  }
}

std::vector<Experiment> shippedExperiments() {
  std::vector<std::pair<int, Experiment>> ordered;
  for (const ExperimentFile& file : experimentFiles()) {
    const json value = json::parse(file.text);
    ordered.emplace_back(value.value("order", 0), experimentFromJson(value, file.id));
  }
  std::ranges::stable_sort(ordered, {}, &std::pair<int, Experiment>::first);
  std::vector<Experiment> experiments;
  for (auto& [order, experiment] : ordered) experiments.push_back(std::move(experiment));
  return experiments;
}

const Arm& armOf(const Experiment& experiment, const std::string& name) {
  return *std::ranges::find(experiment.arms, name, &Arm::name);
}

RunConfig configOf(const Experiment& experiment, const Arm& arm, std::uint64_t seed, const DenseStart* dense) {
  RunConfig config = runConfigOfPreset(arm.preset);
  if (dense) config = grownFromDense(config, dense->config, dense->checkpoint);
  config.computeType = DType::f32;  // chosen by the machine it would make the numbers that machine's
  if (!experiment.text.empty()) config.data.source = experiment.text;
  for (const auto& [path, value] : arm.set) setByPath(config, path, value);
  if (arm.denseTwin) config.model = denseTwin(config);
  config.train.steps = arm.steps.value_or(experiment.steps);
  config.train.checkpointEvery = 0;
  config.seed = seed;
  config.threads = 1;
  return config;
}

RunConfig configOf(const Experiment& experiment, const Arm& arm, std::uint64_t seed) {
  if (arm.grownFrom.empty()) return configOf(experiment, arm, seed, nullptr);
  const DenseStart dense{configOf(experiment, armOf(experiment, arm.grownFrom), seed), arm.grownFrom};
  return configOf(experiment, arm, seed, &dense);
}

}  // namespace moe
