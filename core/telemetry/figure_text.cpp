#include "core/telemetry/figure_text.h"

#include <cmath>

#include "core/base/number_text.h"
#include "core/telemetry/points.h"

namespace moe {

std::string figureText(double value) {
  if (!std::isfinite(value)) return "\u2013";
  // Whole numbers as they are; otherwise three digits.
  if (std::abs(value) < 1000) return value == std::round(value) ? fixedText(value, 0) : numberText(value, 3);
  std::string digits = fixedText(std::abs(value), 0);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(static_cast<std::size_t>(at), ",");
  if (value < 0) digits.insert(digits.begin(), '-');
  return digits;
}

std::string shareText(double share) { return figureText(100 * share) + " %"; }

std::string countText(std::int64_t count) {
  const auto value = static_cast<double>(count);
  return count < 1'000'000       ? figureText(value)
         : count < 1'000'000'000 ? numberText(value / 1e6, 3) + " M"
                                 : numberText(value / 1e9, 3) + " G";
}

std::string overHeldOut(std::int64_t tokens, std::int64_t heldOut) {
  if (tokens <= 0) return "";
  return tokens >= heldOut ? "over all " + countText(tokens) + " held-out tokens"
                           : "over " + countText(tokens) + " of " + countText(heldOut) + " held-out tokens";
}

std::string nameAt(const std::string& what, int layer, std::int64_t step) {
  std::string name = what;
  if (layer >= 0) name += ", " + layerName(layer);
  return name + ", step " + figureText(static_cast<double>(step));
}

}  // namespace moe
