#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/train/preset_files.h"
#include "core/train/run_config.h"

namespace moe {
namespace {

std::vector<Preset> readAll() {
  std::vector<std::pair<int, Preset>> ordered;
  for (const PresetFile& file : presetFiles()) {
    const nlohmann::json json = nlohmann::json::parse(file.text);
    const auto text = [&](const char* key) { return json.value(key, std::string()); };
    ordered.push_back({json.value("order", 0),
                       {file.id, text("label"), text("source"), text("about"), text("scaled"), file.text,
                        json.value("first", false)}});
  }
  std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<Preset> result;
  for (auto& [order, preset] : ordered) result.push_back(std::move(preset));
  return result;
}

}  // namespace

const std::vector<Preset>& presets() {
  static const std::vector<Preset> all = readAll();
  return all;
}

RunConfig runConfigOfPreset(const std::string& id) {
  const auto found =
      std::find_if(presets().begin(), presets().end(), [&](const Preset& preset) { return preset.id == id; });
  if (found == presets().end()) {
    std::string known;
    for (const Preset& preset : presets()) known += (known.empty() ? "" : ", ") + preset.id;
    throw Error("preset", id + ": no preset of that name; expected one of " + known);
  }
  nlohmann::json json = nlohmann::json::parse(found->json);
  for (const char* forTheScreen : {"order", "first", "source", "about", "scaled"}) json.erase(forTheScreen);
  json["preset"] = id;
  json.emplace("dtype", "auto");  // the tuned ones say what they were tuned in
  return runConfigFromJson(json);
}

const Preset& firstPreset() {
  const auto found =
      std::find_if(presets().begin(), presets().end(), [](const Preset& preset) { return preset.first; });
  return found == presets().end() ? presets().front() : *found;
}

}  // namespace moe
