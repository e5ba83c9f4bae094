#include "core/base/json_value.h"

#include <algorithm>
#include <charconv>
#include <limits>

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

template <class Integer>
void readWhole(const nlohmann::json& json, const ValuePlace& place, Integer& out, const char* expected) {
  if (!readInteger(json, out)) refuseValue(place, json, expected);
}

}  // namespace

void refuseValue(const ValuePlace& place, const nlohmann::json& found, const std::string& expected) {
  throw Error(place.tag, place.path + ": expected " + expected + ", found " + shown(found));
}

void readValue(const nlohmann::json& json, const ValuePlace& place, bool& out) {
  if (!json.is_boolean()) refuseValue(place, json, "true or false");
  out = json.get<bool>();
}

void readValue(const nlohmann::json& json, const ValuePlace& place, int& out) {
  readWhole(json, place, out, "an integer");
}

void readValue(const nlohmann::json& json, const ValuePlace& place, std::int64_t& out) {
  readWhole(json, place, out, "an integer");
}

void readValue(const nlohmann::json& json, const ValuePlace& place, std::uint64_t& out) {
  readWhole(json, place, out, "a whole number, 0 or more");
}

void readValue(const nlohmann::json& json, const ValuePlace& place, double& out) {
  if (!json.is_number()) refuseValue(place, json, "a number");
  out = json.get<double>();
}

void readValue(const nlohmann::json& json, const ValuePlace& place, std::string& out) {
  if (!json.is_string()) refuseValue(place, json, "a text");
  out = json.get<std::string>();
}

void readValue(const nlohmann::json& json, const ValuePlace& place, std::vector<int>& out) {
  if (!json.is_array()) refuseValue(place, json, "a list of integers");
  std::vector<int> list;
  for (const nlohmann::json& entry : json)
    if (!readInteger(entry, list.emplace_back())) refuseValue(place, json, "a list of integers");
  out = std::move(list);
}

void readOneOrMany(const nlohmann::json& json, const ValuePlace& place, std::vector<int>& out) {
  const nlohmann::json list = json.is_array() ? json : nlohmann::json::array({json});
  std::vector<int> read;
  for (const nlohmann::json& entry : list)
    if (!readInteger(entry, read.emplace_back())) refuseValue(place, json, "an integer or a list of integers");
  out = std::move(read);
}

std::size_t readWord(const nlohmann::json& json, const ValuePlace& place, std::span<const std::string_view> words) {
  if (json.is_string()) {
    const auto found = std::find(words.begin(), words.end(), json.get_ref<const std::string&>());
    if (found != words.end()) return static_cast<std::size_t>(found - words.begin());
  }
  refuseValue(place, json, (words.size() == 1 ? "" : "one of ") + joinedWords(words));
}

std::string joinedWords(std::span<const std::string_view> words) {
  std::string text;
  for (std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

void readBytes(const nlohmann::json& json, const ValuePlace& place, std::string& out) {
  if (json.is_string()) {
    out = json.get<std::string>();
    return;
  }
  const std::string expected = "a text, or {\"bytes\": its hexadecimal digits} where it is not UTF-8";
  if (!json.is_object() || json.size() != 1 || !json.contains("bytes") || !json.at("bytes").is_string())
    refuseValue(place, json, expected);
  const auto& digits = json.at("bytes").get_ref<const std::string&>();
  std::string bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    unsigned byte = 0;
    const char* const begin = digits.data() + i;
    if (const auto [end, error] = std::from_chars(begin, begin + 2, byte, 16); error != std::errc{} || end != begin + 2)
      refuseValue(place, json, expected);
    bytes += static_cast<char>(byte);
  }
  if (digits.size() % 2 != 0) refuseValue(place, json, expected);
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
