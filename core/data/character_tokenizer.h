#pragma once
#include <unordered_map>

#include "core/data/tokenizer.h"

namespace moe {

/// One id a code point, the most frequent first; 0 stands for every other.
class CharacterTokenizer final : public Tokenizer {
 public:
  /// Distinct code points in the order of their ids, from id 1.
  explicit CharacterTokenizer(std::vector<char32_t> characters);
  static std::unique_ptr<Tokenizer> fromJson(const nlohmann::json& json);

  TokenizerKind kind() const override { return TokenizerKind::characters; }
  int vocabulary() const override { return static_cast<int>(characters_.size()) + 1; }
  void encode(std::string_view utf8, const TokenSink& sink) const override;
  std::string bytesOf(std::int32_t id) const override;
  nlohmann::json toJson() const override;

 private:
  std::vector<char32_t> characters_;
  std::unordered_map<char32_t, std::int32_t> ids_;
};

}  // namespace moe
