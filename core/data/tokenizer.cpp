#include "core/data/tokenizer.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/data/bpe_tokenizer.h"
#include "core/data/character_tokenizer.h"

namespace moe {
namespace {

class ByteTokenizer final : public Tokenizer {
 public:
  TokenizerKind kind() const override { return TokenizerKind::bytes; }
  int vocabulary() const override { return 256; }
  void encode(std::string_view utf8, const TokenSink& sink) const override {
    std::vector<std::int32_t> ids;
    for (std::size_t at = 0; at < utf8.size(); at += kTokensAtOnce) {
      const std::string_view part = utf8.substr(at, kTokensAtOnce);
      const auto* bytes = reinterpret_cast<const unsigned char*>(part.data());
      ids.assign(bytes, bytes + part.size());
      sink(ids, part.size());
    }
  }
  std::string bytesOf(std::int32_t id) const override {
    return id < 0 || id > 255 ? std::string() : std::string(1, static_cast<char>(id));
  }
  nlohmann::json toJson() const override { return {{"kind", "bytes"}}; }
};

}  // namespace

std::vector<std::int32_t> Tokenizer::encode(std::string_view utf8) const {
  std::vector<std::int32_t> ids;
  encode(utf8,
         [&ids](std::span<const std::int32_t> more, std::size_t) { ids.insert(ids.end(), more.begin(), more.end()); });
  return ids;
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids) const {
  std::string bytes;
  for (const std::int32_t id : ids) bytes += bytesOf(id);
  return bytes;
}

std::unique_ptr<Tokenizer> makeByteTokenizer() { return std::make_unique<ByteTokenizer>(); }

std::unique_ptr<Tokenizer> tokenizerFromJson(const nlohmann::json& json) {
  if (!json.is_object() || !json.contains("kind") || !json["kind"].is_string())
    throw Error(
        "tokenizer",
        "kind: expected \"bytes\", \"characters\" or \"bpe\", found none; take the file that was saved with the model");
  const std::string kind = json["kind"];
  if (kind == "bytes") return makeByteTokenizer();
  if (kind == "characters") return CharacterTokenizer::fromJson(json);
  if (kind == "bpe") return BpeTokenizer::fromJson(json);
  throw Error("tokenizer", "kind: expected \"bytes\", \"characters\" or \"bpe\", found \"" + kind +
                               "\"; take the file that was saved with the model");
}

}  // namespace moe
