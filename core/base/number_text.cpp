#include "core/base/number_text.h"

#include <limits>

namespace moe {
namespace {

std::string withDigits(double number, std::chars_format format, int digits) {
  char text[400];  // the largest double in full, and its decimals
  return {text, std::to_chars(text, text + sizeof text, number, format, digits).ptr};
}

}  // namespace

std::string numberText(double number, int digits) { return withDigits(number, std::chars_format::general, digits); }
std::string fixedText(double number, int decimals) { return withDigits(number, std::chars_format::fixed, decimals); }
std::string scientificText(double number, int decimals) {
  return withDigits(number, std::chars_format::scientific, decimals);
}

double numberIn(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace moe
