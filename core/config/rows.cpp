#include "core/config/rows.h"

#include <cmath>

#include "core/base/number_text.h"

namespace moe {

const SettingPart* partOf(const SettingSection& section, std::string_view path) {
  for (const SettingPart& part : section.parts)
    if (path.starts_with(part.path) && path.substr(part.path.size()).starts_with('.')) return &part;
  return nullptr;
}

namespace {

/// 65536 as "65,536", 0.001 as "0.001".
std::string bound(double value) {
  if (std::abs(value) < 10'000 || value >= 1e15 || value != std::floor(value)) return numberText(value, 10);
  std::string digits = std::to_string(static_cast<std::int64_t>(value));
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

bool isNumeric(const Setting& setting) {
  return setting.kind == SettingKind::number || setting.kind == SettingKind::integer ||
         setting.kind == SettingKind::integerList;
}

bool lies(const Setting& setting, const nlohmann::json& value) {
  const double number = value.is_number() ? value.get<double>() : std::nan("");
  return number >= setting.minimum && number <= setting.maximum;
}

/// The first word of a path behind a prefix.
std::string_view keyIn(std::string_view path, std::string_view prefix) {
  path.remove_prefix(prefix.size());
  return path.substr(0, path.find('.'));
}

void refuseUnknown(const nlohmann::json& source, const ValuePlace& place, const std::string& prefix,
                   const std::vector<std::string_view>& paths, const std::vector<std::string_view>& parts) {
  if (!source.is_object())
    refuseValue({place.tag, place.path.empty() ? "the configuration" : place.path}, source, "an object");
  for (const auto& [key, value] : source.items()) {
    const std::string path = prefix + key, inside = path + ".";
    const ValuePlace at{place.tag, rows::joined(place.path, key)};
    if (std::ranges::find(paths, path) != paths.end()) continue;
    const bool known = std::ranges::any_of(paths, [&](std::string_view each) { return each.starts_with(inside); });
    if (!known) {
      std::vector<std::string_view> here;
      for (std::string_view each : paths)
        if (each.starts_with(prefix) && std::ranges::find(here, keyIn(each, prefix)) == here.end())
          here.push_back(keyIn(each, prefix));
      throw Error(at.tag, at.path + ": unknown key; expected one of " + joinedWords(here));
    }
    if (value.is_null() && std::ranges::find(parts, path) != parts.end()) continue;
    refuseUnknown(value, at, inside, paths, parts);
  }
}

}  // namespace

std::string expectedOf(const Setting& setting) {
  if (!isNumeric(setting)) return {};
  const std::string range = " from " + bound(setting.minimum) + " to " + bound(setting.maximum);
  switch (setting.kind) {
    case SettingKind::number: return "a number" + range;
    case SettingKind::integer: return "a whole number" + range;
    default: return "whole numbers" + range;
  }
}

namespace rows {

std::string joined(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

const nlohmann::json* valueAt(const nlohmann::json& root, std::string_view path) {
  const nlohmann::json* at = &root;
  for (;;) {
    const std::size_t dot = path.find('.');
    if (!at->is_object()) return nullptr;
    const auto found = at->find(path.substr(0, dot));
    if (found == at->end()) return nullptr;
    at = &*found;
    if (dot == path.npos) return at;
    path.remove_prefix(dot + 1);
  }
}

void putAt(nlohmann::json& root, std::string_view path, nlohmann::json value) {
  nlohmann::json* at = &root;
  for (;;) {
    const std::size_t dot = path.find('.');
    at = &(*at)[std::string(path.substr(0, dot))];
    if (dot == path.npos) break;
    path.remove_prefix(dot + 1);
  }
  *at = std::move(value);
}

void refuseUnknownKeys(const nlohmann::json& source, const ValuePlace& place,
                       const std::vector<std::string_view>& paths, const std::vector<std::string_view>& parts) {
  refuseUnknown(source, place, {}, paths, parts);
}

std::string rangeFault(const Setting& setting, const nlohmann::json& value) {
  if (!isNumeric(setting) || value.is_null() || value.is_string()) return {};  // a word such as "all" has no size
  const nlohmann::json list = value.is_array() ? value : nlohmann::json::array({value});
  for (const nlohmann::json& each : list)
    if (!lies(setting, each)) {
      const std::string name(setting.label.empty() ? setting.path : setting.label);
      const std::string found = each.is_number() ? numberText(each.get<double>(), 10) : each.dump();
      return name + ": expected " + expectedOf(setting) + ", found " + found + ".";
    }
  return {};
}

}  // namespace rows
}  // namespace moe
