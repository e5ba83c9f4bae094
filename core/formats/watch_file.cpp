#include "core/formats/watch_json.h"

#include <bit>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/json_object.h"

namespace moe {

using nlohmann::json;

namespace {

constexpr std::size_t kDigits = 8;  // of one float

std::string toHex(const std::vector<float>& shares) {
  std::string text;
  for (const float share : shares) {
    char digits[kDigits + 1];
    std::snprintf(digits, sizeof digits, "%08x", std::bit_cast<std::uint32_t>(share));
    text += digits;
  }
  return text;
}

std::vector<float> fromHex(const std::string& text, const JsonObject& object) {
  std::vector<float> shares;
  if (text.size() % kDigits != 0) object.refuse("share", "eight hexadecimal digits a number");
  for (std::size_t at = 0; at < text.size(); at += kDigits) {
    std::uint32_t bits = 0;
    const char* end = text.data() + at + kDigits;
    const auto [stopped, code] = std::from_chars(text.data() + at, end, bits, 16);
    const float share = std::bit_cast<float>(bits);
    if (code != std::errc() || stopped != end || !(share >= 0 && share <= 1)) object.refuse("share", "numbers from 0 to 1");
    shares.push_back(share);
  }
  return shares;
}

/// The entries of a list, or nothing where it is absent.
template <class Read> void each(JsonObject& object, const char* key, const std::string& tag, Read read) {
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
  json loads = json::array(), alerts = json::array();
  for (const StepLoads& step : watch.loads) {
    json layers = json::array();
    for (const StepLoads::Layer& layer : step.layers)
      layers.push_back({{"layer", layer.layer}, {"assignments", layer.assignments}, {"share", toHex(layer.share)}});
    loads.push_back({{"step", step.step}, {"layers", layers}});
  }
  for (const Alert& alert : watch.alerts)
    alerts.push_back({{"layer", alert.layer}, {"expert", alert.expert}, {"since", alert.since}, {"utilization", alert.utilization}});
  return {{"loads", loads}, {"alerts", alerts}, {"restarts", watch.restarts}};
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

}  // namespace moe
