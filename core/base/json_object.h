#pragma once
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/json_value.h"

namespace moe {

/// A word of a JSON vocabulary and the enumerator it stands for.
template <class Enum>
using Words = std::span<const std::pair<std::string_view, Enum>>;

/// Strict reading of one JSON object: every key is asked for once, and finish() refuses those nobody asked for. A wrong
/// type or value throws Error(tag) naming the dotted path, what was expected and what was found. Absent keys leave
/// their target as it is.
class JsonObject {
 public:
  /// `path` is the object's own dotted path, empty at the top. Throws where `json` is no object.
  JsonObject(const nlohmann::json& json, std::string tag, std::string path);

  bool has(std::string_view key) const { return json_.contains(key); }
  template <class Value>
  void read(std::string_view key, Value& out) {
    if (const nlohmann::json* value = take(key)) readValue(*value, placeOf(key), out);
  }
  template <class Enum>
  void read(std::string_view key, Enum& out, Words<Enum> words) {
    std::vector<std::string_view> names;
    for (const auto& [word, value] : words) names.push_back(word);
    if (const nlohmann::json* value = take(key)) out = words[readWord(*value, placeOf(key), names)].second;
  }
  /// The value of a key for a reader of its own; null where absent.
  const nlohmann::json* take(std::string_view key);
  std::string pathOf(std::string_view key) const;
  [[noreturn]] void refuse(std::string_view key, const std::string& expected) const;
  void finish() const;

 private:
  ValuePlace placeOf(std::string_view key) const { return {tag_, pathOf(key)}; }

  const nlohmann::json& json_;
  std::string tag_, path_;
  std::vector<std::string> asked_;
};

}  // namespace moe
