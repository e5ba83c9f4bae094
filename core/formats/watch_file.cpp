#include "core/formats/watch_file.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <utility>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json_object.h"
#include "core/formats/safetensors.h"
#include "core/tensor/tensor.h"

namespace moe {

using nlohmann::json;

namespace {

constexpr std::size_t kDigits = 8;  // of one float, as older programs wrote it

std::vector<float> fromHex(const std::string& text, const JsonObject& object) {
  std::vector<float> shares;
  if (text.size() % kDigits != 0) object.refuse("share", "eight hexadecimal digits a number");
  for (std::size_t at = 0; at < text.size(); at += kDigits) {
    std::uint32_t bits = 0;
    const char* end = text.data() + at + kDigits;
    const auto [stopped, code] = std::from_chars(text.data() + at, end, bits, 16);
    const float share = std::bit_cast<float>(bits);
    if (code != std::errc() || stopped != end || !(share >= 0 && share <= 1))
      object.refuse("share", "numbers from 0 to 1");
    shares.push_back(share);
  }
  return shares;
}

constexpr std::string_view kLayers = "layers.", kAssignments = ".assignments", kShare = ".share";

std::string nameOf(int layer, std::string_view what) {
  return std::string(kLayers) + std::to_string(layer) + std::string(what);
}

/// The entries of a list, or nothing where it is absent.
template <class Read>
void each(JsonObject& object, const char* key, const std::string& tag, Read read) {
  const json* list = object.take(key);
  if (!list) return;
  if (!list->is_array()) object.refuse(key, "a list");
  for (std::size_t i = 0; i < list->size(); ++i) {
    JsonObject entry((*list)[i], tag, object.pathOf(key) + "." + std::to_string(i));
    read(entry);
    entry.finish();
  }
}

}  // namespace

json toJson(const WatchState& watch) {
  json alerts = json::array();
  for (const Alert& alert : watch.alerts)
    alerts.push_back(
        {{"layer", alert.layer}, {"expert", alert.expert}, {"since", alert.since}, {"utilization", alert.utilization}});
  return {{"alerts", alerts}, {"restarts", watch.restarts}};
}

WatchState watchFromJson(const json& source, const std::string& tag, const std::string& path) {
  WatchState watch;
  JsonObject object(source, tag, path);
  each(object, "loads", tag, [&](JsonObject& entry) {
    StepLoads step;
    entry.read("step", step.step);
    each(entry, "layers", tag, [&](JsonObject& part) {
      StepLoads::Layer layer;
      std::string share;
      part.read("layer", layer.layer);
      part.read("assignments", layer.assignments);
      part.read("share", share);
      layer.share = fromHex(share, part);
      step.layers.push_back(std::move(layer));
    });
    watch.loads.push_back(std::move(step));
  });
  each(object, "alerts", tag, [&](JsonObject& entry) {
    Alert alert;
    entry.read("layer", alert.layer);
    entry.read("expert", alert.expert);
    entry.read("since", alert.since);
    entry.read("utilization", alert.utilization);
    watch.alerts.push_back(alert);
  });
  object.read("restarts", watch.restarts);
  if (watch.restarts < 0) object.refuse("restarts", "0 or more");
  object.finish();
  return watch;
}

std::int64_t writeLoads(const std::string& tag, const std::filesystem::path& path, const std::vector<StepLoads>& all) {
  auto first = all.end();
  while (first != all.begin() && sameLayout(*std::prev(first), all.back())) --first;
  const std::span<const StepLoads> loads(first, all.end());
  const auto steps = static_cast<std::int64_t>(loads.size());
  std::vector<std::pair<std::string, Tensor>> tensors;  // wider types first
  if (steps > 0) {
    tensors.emplace_back("step", hostTensor({steps}, DType::i64));
    for (std::int64_t s = 0; s < steps; ++s)
      tensors.back().second.as<std::int64_t>()[s] = loads[static_cast<std::size_t>(s)].step;
    const std::vector<StepLoads::Layer>& layers = all.back().layers;
    for (std::size_t l = 0; l < layers.size(); ++l) {
      tensors.emplace_back(nameOf(layers[l].layer, kAssignments), hostTensor({steps}, DType::f64));
      for (std::int64_t s = 0; s < steps; ++s)
        tensors.back().second.as<double>()[s] = loads[static_cast<std::size_t>(s)].layers[l].assignments;
    }
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const auto experts = static_cast<std::int64_t>(layers[l].share.size());
      tensors.emplace_back(nameOf(layers[l].layer, kShare), hostTensor({steps, experts}, DType::f32));
      float* to = tensors.back().second.as<float>();
      for (const StepLoads& step : loads) to = std::copy(step.layers[l].share.begin(), step.layers[l].share.end(), to);
    }
  }
  std::vector<NamedView> views;
  for (const auto& [name, tensor] : tensors) views.push_back({name, tensor});
  FileWriter file(tag, path);
  writeSafetensors(file, views);
  file.close();
  return file.written();
}

std::vector<StepLoads> readLoads(const std::string& tag, const std::filesystem::path& path) {
  const SafetensorsFile file(path);
  const auto refuse = [&](const std::string& name, const std::string& expected) {
    throw Error(tag, path.string() + ": " + name + ": expected " + expected +
                         ", found another form; choose another checkpoint, or copy this one again");
  };
  std::vector<StepLoads> loads;
  if (file.entries().empty()) return loads;
  const auto take = [&](const std::string& name, DType type, int rank) {
    const SafetensorsFile::Entry* entry = file.find(name);
    if (entry == nullptr || entry->dtype != type || entry->shape.rank() != rank || entry->shape[0] < 1 ||
        (!loads.empty() && entry->shape[0] != static_cast<std::int64_t>(loads.size())))
      refuse(name, "a row for each step");
    return file.read(*entry);
  };
  const Tensor steps = take("step", DType::i64, 1);
  loads.resize(static_cast<std::size_t>(steps.elements()));
  for (std::size_t s = 0; s < loads.size(); ++s) loads[s].step = steps.as<std::int64_t>()[s];
  std::vector<int> layers;
  for (const SafetensorsFile::Entry& entry : file.entries()) {
    int layer = 0;
    const char* end = entry.name.data() + entry.name.size();
    if (!entry.name.ends_with(kShare) || !entry.name.starts_with(kLayers)) continue;
    const auto [stopped, code] = std::from_chars(entry.name.data() + kLayers.size(), end, layer);
    if (code != std::errc() || std::string_view(stopped, end) != kShare || layer < 0)
      refuse(entry.name, "the number of a layer");
    layers.push_back(layer);
  }
  if (file.entries().size() != 1 + 2 * layers.size())
    refuse("the file", "steps, and assignments and shares of each layer");
  for (const int layer : layers) {
    const Tensor assignments = take(nameOf(layer, kAssignments), DType::f64, 1),
                 shares = take(nameOf(layer, kShare), DType::f32, 2);
    const auto experts = static_cast<std::size_t>(shares.shape()[1]);
    for (const float share : shares.span<float>())
      if (!(share >= 0 && share <= 1)) refuse(nameOf(layer, kShare), "numbers from 0 to 1");
    for (std::size_t s = 0; s < loads.size(); ++s) {
      const float* row = shares.as<float>() + s * experts;
      loads[s].layers.push_back({layer, assignments.as<double>()[s], std::vector<float>(row, row + experts)});
    }
  }
  return loads;
}

}  // namespace moe
