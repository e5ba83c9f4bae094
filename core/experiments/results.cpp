#include "core/experiments/results.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/checksum.h"
#include "core/base/error.h"
#include "core/base/json_object.h"
#include "core/base/json_text.h"
#include "core/experiments/experiment.h"

namespace moe {
namespace {

using nlohmann::json;

constexpr std::int64_t kLongestFile = 1 << 20;
constexpr int kDeepest = 16;

ArmResult read(const json& file, const std::string& key) {
  ArmResult result;
  JsonObject object(file, kExperimentTag, "");
  std::string found;
  object.read("key", found);
  if (found != key) object.refuse("key", key);
  object.take("config");  // for people
  object.read("seconds", result.seconds);
  const json* values = object.take("values");
  if (!values || !values->is_object()) object.refuse("values", "an object of measures");
  JsonObject measured(*values, kExperimentTag, "values");
  for (const Measure& measure : measures()) {
    const std::string id(measure.id);
    if (measured.has(id)) measured.read(id, result.values.emplace_back(id, 0).second);
  }
  measured.finish();
  const json* validation = object.take("validation");
  if (!validation || !validation->is_array()) object.refuse("validation", "a list of {step, loss}");
  for (const json& entry : *validation) {
    JsonObject point(entry, kExperimentTag, "validation");
    point.read("step", result.validation.emplace_back(0, 0).first);
    point.read("loss", result.validation.back().second);
    point.finish();
  }
  object.finish();
  return result;
}

}  // namespace

std::string ResultFolder::keyOf(const RunConfig& config, const std::string& dense) {
  json named = toJson(config);
  named.erase("label");
  named.erase("preset");
  named["start_from"] = dense;
  named["program"] = SWITCHYARD_VERSION;
  return checksumText(checksum(named.dump()));
}

std::optional<ArmResult> ResultFolder::find(const std::string& key) const {
  const std::filesystem::path path = folder_ / (key + ".json");
  if (!std::filesystem::exists(path)) return std::nullopt;
  std::string problem;
  const json file = parseStrictJson(readFile(kExperimentTag, path, kLongestFile), kDeepest, problem);
  if (!problem.empty())
    throw Error(kExperimentTag, path.string() + ": " + problem + "; remove it, and its arm is trained again");
  try {
    return read(file, key);
  } catch (const Error& error) {
    throw Error(kExperimentTag, path.string() + ": " + error.what() + "; remove it, and its arm is trained again");
  }
}

void ResultFolder::keep(const std::string& key, const RunConfig& config, const ArmResult& result) const {
  std::filesystem::create_directories(folder_);
  nlohmann::ordered_json file{{"key", key}, {"seconds", result.seconds}};
  for (const auto& [id, value] : result.values) file["values"][id] = value;
  for (const auto& [step, loss] : result.validation) file["validation"].push_back({{"step", step}, {"loss", loss}});
  file["config"] = toJson(config);
  writeFileAtomically(kExperimentTag, folder_ / (key + ".json"), file.dump(1) + "\n");
}

}  // namespace moe
