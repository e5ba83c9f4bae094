#include "core/base/json_object.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"

namespace moe {
namespace {

std::string shown(const nlohmann::json& json) {
  std::string text = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 57) + "...";
  return text;
}

template <class Integer>
bool readInteger(const nlohmann::json& json, Integer& out) {
  if (json.is_number_unsigned()) {
    const auto value = json.get<std::uint64_t>();
    if (value > static_cast<std::uint64_t>(std::numeric_limits<Integer>::max())) return false;
    out = static_cast<Integer>(value);
    return true;
  }
  if (!json.is_number_integer()) return false;
  const auto value = json.get<std::int64_t>();
  if constexpr (std::is_unsigned_v<Integer>) {
    if (value < 0) return false;
  } else if (value < std::numeric_limits<Integer>::min() || value > std::numeric_limits<Integer>::max()) {
    return false;
  }
  out = static_cast<Integer>(value);
  return true;
}

std::string joined(std::span<const std::string_view> words) {
  std::string text;
  for (std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

}  // namespace

JsonObject::JsonObject(const nlohmann::json& json, std::string tag, std::string path)
    : json_(json), tag_(std::move(tag)), path_(std::move(path)) {
  if (!json.is_object())
    throw Error(tag_, (path_.empty() ? std::string("the configuration") : path_) + ": expected an object, found " +
                          shown(json));
}

bool JsonObject::has(std::string_view key) const {
  return json_.contains(key);
}

std::string JsonObject::pathOf(std::string_view key) const {
  return path_.empty() ? std::string(key) : path_ + "." + std::string(key);
}

const nlohmann::json* JsonObject::take(std::string_view key) {
  asked_.emplace_back(key);
  const auto found = json_.find(key);
  return found == json_.end() ? nullptr : &*found;
}

void JsonObject::refuse(std::string_view key, const std::string& expected) const {
  const auto found = json_.find(key);
  throw Error(tag_,
              pathOf(key) + ": expected " + expected + ", found " + (found == json_.end() ? "nothing" : shown(*found)));
}

void JsonObject::read(std::string_view key, bool& out) {
  const nlohmann::json* value = take(key);
  if (!value) return;
  if (!value->is_boolean()) refuse(key, "true or false");
  out = value->get<bool>();
}

void JsonObject::read(std::string_view key, int& out) {
  const nlohmann::json* value = take(key);
  if (value && !readInteger(*value, out)) refuse(key, "an integer");
}

void JsonObject::read(std::string_view key, std::int64_t& out) {
  const nlohmann::json* value = take(key);
  if (value && !readInteger(*value, out)) refuse(key, "an integer");
}

void JsonObject::read(std::string_view key, std::uint64_t& out) {
  const nlohmann::json* value = take(key);
  if (value && !readInteger(*value, out)) refuse(key, "a whole number, 0 or more");
}

void JsonObject::read(std::string_view key, double& out) {
  const nlohmann::json* value = take(key);
  if (!value) return;
  if (!value->is_number()) refuse(key, "a number");
  out = value->get<double>();
}

void JsonObject::read(std::string_view key, std::string& out) {
  const nlohmann::json* value = take(key);
  if (!value) return;
  if (!value->is_string()) refuse(key, "a text");
  out = value->get<std::string>();
}

void JsonObject::read(std::string_view key, std::vector<int>& out) {
  const nlohmann::json* value = take(key);
  if (!value) return;
  if (!value->is_array()) refuse(key, "a list of integers");
  std::vector<int> list;
  for (const nlohmann::json& entry : *value)
    if (!readInteger(entry, list.emplace_back())) refuse(key, "a list of integers");
  out = std::move(list);
}

int JsonObject::readWord(std::string_view key, std::span<const std::string_view> words) {
  const nlohmann::json* value = take(key);
  if (!value) return -1;
  if (value->is_string()) {
    const auto found = std::find(words.begin(), words.end(), value->get_ref<const std::string&>());
    if (found != words.end()) return static_cast<int>(found - words.begin());
  }
  refuse(key, (words.size() == 1 ? "" : "one of ") + joined(words));
}

void JsonObject::finish() const {
  for (const auto& [key, value] : json_.items())
    if (std::find(asked_.begin(), asked_.end(), key) == asked_.end()) {
      std::vector<std::string_view> known(asked_.begin(), asked_.end());
      throw Error(tag_, pathOf(key) + ": unknown key; expected one of " + joined(known));
    }
}

}  // namespace moe
