#include "core/base/json_object.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/utf8.h"

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

bool JsonObject::has(std::string_view key) const { return json_.contains(key); }

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

void JsonObject::readBytes(std::string_view key, std::string& out) {
  const nlohmann::json* value = take(key);
  if (!value) return;
  if (value->is_string()) {
    out = value->get<std::string>();
    return;
  }
  const std::string expected = "a text, or {\"bytes\": its hexadecimal digits} where it is not UTF-8";
  if (!value->is_object() || value->size() != 1 || !value->contains("bytes") || !value->at("bytes").is_string())
    refuse(key, expected);
  const auto& digits = value->at("bytes").get_ref<const std::string&>();
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    unsigned byte = 0;
    const char* const begin = digits.data() + i;
    if (const auto [end, error] = std::from_chars(begin, begin + 2, byte, 16); error != std::errc{} || end != begin + 2)
      refuse(key, expected);
    bytes += static_cast<char>(byte);
  }
  if (digits.size() % 2 != 0) refuse(key, expected);
  out = std::move(bytes);
}

nlohmann::json bytesJson(const std::string& bytes) {
  if (!firstInvalidUtf8(bytes)) return bytes;
  constexpr char kDigits[] = "0123456789abcdef";
  std::string digits;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    digits += {kDigits[value >> 4], kDigits[value & 15]};
  }
  return {{"bytes", digits}};
}

}  // namespace moe
