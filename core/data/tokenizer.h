#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/data/data_config.h"

namespace moe {

/// A sink is given about so many.
inline constexpr std::size_t kTokensAtOnce = 1 << 16;
using TokenSink = std::function<void(std::span<const std::int32_t>)>;

/// Text to ids and back. Immutable; may be used from several threads.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  virtual TokenizerKind kind() const = 0;
  virtual int vocabulary() const = 0;
  /// Never fails on valid UTF-8: what the vocabulary lacks becomes the unknown id (characters) or bytes (bytes, bpe).
  /// In order, some at a time.
  virtual void encode(std::string_view utf8, const TokenSink& sink) const = 0;
  std::vector<std::int32_t> encode(std::string_view utf8) const;
  /// The bytes of one token; may be part of a character.
  virtual std::string bytesOf(std::int32_t id) const = 0;
  std::string decode(std::span<const std::int32_t> ids) const;
  /// Everything needed to make it again; `tokenizerFromJson` reads it.
  virtual nlohmann::json toJson() const = 0;
};

std::unique_ptr<Tokenizer> makeByteTokenizer();                                 // 256 ids
std::unique_ptr<Tokenizer> trainCharacterTokenizer(std::string_view text);      // one id a code point, by frequency; 0 unknown
/// Byte-level byte-pair encoding trained on `text` to `vocabulary` ids (the first 256 are the bytes). Ties go to the pair
/// met first, so training is deterministic. Fewer ids where no pair is met twice any more. Takes some 15 bytes for each
/// byte of its distinct words.
std::unique_ptr<Tokenizer> trainBpeTokenizer(std::string_view text, int vocabulary);
/// Throws Error("tokenizer") naming what is missing or wrong.
std::unique_ptr<Tokenizer> tokenizerFromJson(const nlohmann::json& json);

}  // namespace moe
