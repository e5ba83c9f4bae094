#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

/// Where a value stands: who speaks ("recipe") and its dotted path ("select.k"), for the sentence that refuses it.
struct ValuePlace {
  std::string tag, path;
};

/// Throws Error(tag): "PATH: expected EXPECTED, found FOUND".
[[noreturn]] void refuseValue(const ValuePlace& place, const nlohmann::json& found, const std::string& expected);

/// "top_k, top_p, all".
std::string joinedWords(std::span<const std::string_view> words);

// Strict reading of one value: a wrong type throws, and `out` stays as it was.
void readValue(const nlohmann::json& json, const ValuePlace& place, bool& out);
void readValue(const nlohmann::json& json, const ValuePlace& place, int& out);
void readValue(const nlohmann::json& json, const ValuePlace& place, std::int64_t& out);
void readValue(const nlohmann::json& json, const ValuePlace& place, std::uint64_t& out);
void readValue(const nlohmann::json& json, const ValuePlace& place, double& out);
void readValue(const nlohmann::json& json, const ValuePlace& place, std::string& out);
void readValue(const nlohmann::json& json, const ValuePlace& place, std::vector<int>& out);
/// The same, where one integer stands for a list of one.
void readOneOrMany(const nlohmann::json& json, const ValuePlace& place, std::vector<int>& out);
/// One of some words: its index.
std::size_t readWord(const nlohmann::json& json, const ValuePlace& place, std::span<const std::string_view> words);
template <class Value>
void readValue(const nlohmann::json& json, const ValuePlace& place, std::optional<Value>& out) {
  Value value{};
  readValue(json, place, value);
  out = value;
}

inline nlohmann::json valueJson(bool value) { return value; }
inline nlohmann::json valueJson(int value) { return value; }
inline nlohmann::json valueJson(std::int64_t value) { return value; }
inline nlohmann::json valueJson(std::uint64_t value) { return value; }
inline nlohmann::json valueJson(double value) { return value; }
inline nlohmann::json valueJson(const std::string& value) { return value; }
inline nlohmann::json valueJson(const std::vector<int>& value) { return value; }
template <class Value>
nlohmann::json valueJson(const std::optional<Value>& value) {
  return value ? valueJson(*value) : nlohmann::json();
}

/// Any bytes, such as a path, exactly: a string where they are UTF-8, which is all that JSON's strings hold, else
/// {"bytes": hexadecimal digits}.
nlohmann::json bytesJson(const std::string& bytes);
void readBytes(const nlohmann::json& json, const ValuePlace& place, std::string& out);

}  // namespace moe
