#pragma once
#include <unordered_map>
#include <utility>

#include "core/data/pretokenizer.h"
#include "core/data/tokenizer.h"

namespace moe {

/// Byte-level byte-pair encoding: ids 0..255 are the bytes, id 256 + r is the r-th merge.
class BpeTokenizer final : public Tokenizer {
 public:
  using Pair = std::pair<std::int32_t, std::int32_t>;

  /// Merges in order of rank; each names ids below its own.
  explicit BpeTokenizer(std::vector<Pair> merges);
  static std::unique_ptr<Tokenizer> fromJson(const nlohmann::json& json);

  TokenizerKind kind() const override { return TokenizerKind::bpe; }
  int vocabulary() const override { return static_cast<int>(bytes_.size()); }
  void encode(std::string_view utf8, const TokenSink& sink) const override;
  std::string bytesOf(std::int32_t id) const override;
  nlohmann::json toJson() const override;

  static std::uint64_t key(Pair pair) {
    return static_cast<std::uint64_t>(static_cast<std::uint32_t>(pair.first)) << 32 |
           static_cast<std::uint32_t>(pair.second);
  }
  static Pair pairOf(std::uint64_t key) {
    return {static_cast<std::int32_t>(key >> 32), static_cast<std::int32_t>(key)};
  }

 private:
  void encodePiece(std::string_view piece, std::vector<std::int32_t>& ids) const;

  std::vector<Pair> merges_;
  std::vector<std::string> bytes_;                          // of each id
  std::unordered_map<std::uint64_t, std::int32_t> merged_;  // pair's key -> id
  Pretokenizer pretokenizer_;
};

}  // namespace moe
