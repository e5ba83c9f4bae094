#pragma once
#include <cstdint>
#include <initializer_list>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

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

  bool has(std::string_view key) const;
  void read(std::string_view key, bool& out);
  void read(std::string_view key, int& out);
  void read(std::string_view key, std::int64_t& out);
  void read(std::string_view key, std::uint64_t& out);
  void read(std::string_view key, double& out);
  void read(std::string_view key, std::string& out);
  void read(std::string_view key, std::vector<int>& out);
  /// A text as bytesJson() writes it.
  void readBytes(std::string_view key, std::string& out);
  template <class Enum>
  void read(std::string_view key, Enum& out, Words<Enum> words) {
    std::vector<std::string_view> names;
    for (const auto& [word, value] : words) names.push_back(word);
    if (const int found = readWord(key, names); found >= 0) out = words[static_cast<std::size_t>(found)].second;
  }
  /// The value of a key for a reader of its own; null where absent.
  const nlohmann::json* take(std::string_view key);
  std::string pathOf(std::string_view key) const;
  [[noreturn]] void refuse(std::string_view key, const std::string& expected) const;
  void finish() const;

 private:
  /// Index in `words`, or -1 where the key is absent.
  int readWord(std::string_view key, std::span<const std::string_view> words);

  const nlohmann::json& json_;
  std::string tag_, path_;
  std::vector<std::string> asked_;
};

/// Any bytes, such as a path, exactly: a string where they are UTF-8, which is all that JSON's strings hold, else
/// {"bytes": hexadecimal digits}.
nlohmann::json bytesJson(const std::string& bytes);

}  // namespace moe
