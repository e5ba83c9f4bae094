#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace moe {

struct LabelledText {
  std::string name, text;
};

/// Ten plainly different kinds of text of about 30 kB each, so that what experts specialise in can be held against the
/// truth. The same seed gives the same bytes on every machine.
std::vector<LabelledText> builtinDomains(std::uint64_t seed);

/// What a source begins with that names a corpus of the program's own.
inline constexpr std::string_view kBuiltinText = "builtin:";
/// About so much is in it.
std::int64_t builtinBytes();

}  // namespace moe
