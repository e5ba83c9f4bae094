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

#include "core/base/progress.h"
#include "core/data/data_config.h"

namespace moe {

/// A sink is given about so many, and the bytes of text that they are.
inline constexpr std::size_t kTokensAtOnce = 1 << 16;
using TokenSink = std::function<void(std::span<const std::int32_t> ids, std::size_t bytes)>;

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

std::unique_ptr<Tokenizer> makeByteTokenizer();  // 256 ids
/// Learns a tokenizer from texts given one after the other, as if they stood in one.
class TokenizerTraining {
 public:
  virtual ~TokenizerTraining() = default;
  /// `counted` is told of bytes when they have been taken in.
  virtual void add(std::string_view utf8, const std::function<void(std::size_t bytes)>& counted = {}) = 0;
  /// Nothing may be added afterwards.
  virtual std::unique_ptr<Tokenizer> finish(const Progress& progress = {}) = 0;
};
std::unique_ptr<TokenizerTraining> characterTraining();  // one id a code point, by frequency; 0 unknown
/// Byte-level byte-pair encoding to `vocabulary` ids (the first 256 are the bytes). Ties go to the pair met first, so
/// training is deterministic. Fewer ids where no pair is met twice any more. Takes some kBytesAWordByte for each byte of its
/// distinct words. Throws Error("tokenizer").
std::unique_ptr<TokenizerTraining> bpeTraining(int vocabulary);
inline constexpr std::int64_t kBytesAWordByte = 16;

std::unique_ptr<Tokenizer> trainCharacterTokenizer(std::string_view text);
std::unique_ptr<Tokenizer> trainBpeTokenizer(std::string_view text, int vocabulary);
/// Throws Error("tokenizer") naming what is missing or wrong.
std::unique_ptr<Tokenizer> tokenizerFromJson(const nlohmann::json& json);

}  // namespace moe
