#pragma once
#include <cstdint>
#include <string>

namespace moe {

enum class TokenizerKind { bytes, characters, bpe };

struct DataConfig {
  std::string source = "builtin:domains";  // or a path: a UTF-8 text file, or a folder of them (each entry a domain)
  TokenizerKind tokenizer = TokenizerKind::bytes;
  int vocabulary = 512;          // bpe only: the size it is trained to
  double heldOut = 0.1;          // last share of each file, never trained on
  std::uint64_t corpusSeed = 1;  // builtin only
  bool operator==(const DataConfig&) const = default;
};

}  // namespace moe
