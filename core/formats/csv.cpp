#include "core/formats/csv.h"

namespace moe {

std::string csvField(std::string_view text) {
  // A leading apostrophe is text to every spreadsheet, and what follows is then no formula that it would run.
  if (!text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos)
    return csvField("'" + std::string(text));
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string field = "\"";
  for (const char c : text) field += c == '"' ? "\"\"" : std::string(1, c);
  return field + '"';
}

}  // namespace moe
