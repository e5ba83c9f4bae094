#pragma once
// Numbers as text and back, the same whatever the locale (Qt sets the desktop's; a decimal comma would reach files and
// sentences). Nothing in the engine or the window writes or reads a number with fractions otherwise.
#include <charconv>
#include <string>
#include <string_view>

namespace moe {

/// As a sentence says it: up to `digits` significant ones, no zeros at the end ("0.05", "1e-05").
std::string numberText(double number, int digits = 6);
/// With that many decimals ("4.60").
std::string fixedText(double number, int decimals);
/// d.ddde-xx with that many decimals ("1e-06").
std::string scientificText(double number, int decimals);
/// The shortest digits that read back as the same number; "nan", "inf", "-inf" where it is none.
template <class Real>
std::string shortestText(Real number) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, number).ptr};
}
/// What such a text says; NaN where it is no number from its first to its last character.
double numberIn(std::string_view text);

}  // namespace moe
