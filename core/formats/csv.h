#pragma once
#include <string>
#include <string_view>

namespace moe {

/// A field as RFC 4180 has it: quoted where it holds a comma, a quote or a line end, quotes doubled;
/// an apostrophe before what a spreadsheet would run as a formula.
std::string csvField(std::string_view text);

}  // namespace moe
