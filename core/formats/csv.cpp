#include "core/formats/csv.h"

#include <charconv>

namespace moe {
namespace {

template <class Real> std::string shortest(Real value) {
  char text[64];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

}  // namespace

std::string csvField(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string field = "\"";
  for (const char c : text) field += c == '"' ? "\"\"" : std::string(1, c);
  return field + '"';
}

std::string numberText(double value) { return shortest(value); }
std::string numberText(float value) { return shortest(value); }

}  // namespace moe
