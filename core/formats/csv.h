#pragma once
#include <string>
#include <string_view>

namespace moe {

/// A field as RFC 4180 has it: quoted where it holds a comma, a quote or a line end, quotes doubled.
std::string csvField(std::string_view text);

/// The shortest digits that read back as the same number; "nan", "inf", "-inf" where it is none.
std::string numberText(double value);
std::string numberText(float value);

}  // namespace moe
