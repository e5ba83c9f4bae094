#pragma once
#include <cstdint>
#include <string>

namespace moe {

// Numbers as explanations write them, independent of the locale.

/// Three digits that count, whole numbers from 1000 on grouped: 0.61, 1.2e-05, 4,096. "–" for what is not a number.
std::string figureText(double value);
inline std::string figureText(float value) { return figureText(static_cast<double>(value)); }
/// 2.9 %
std::string shareText(double share);
/// 950; 80,000; 1.2 M
std::string countText(std::int64_t count);
/// "over 80,000 of 1.2 M held-out tokens", "over all 4,800 held-out tokens"; empty where that is not known (0).
std::string overHeldOut(std::int64_t tokens, std::int64_t heldOut);
/// "MaxVio, layer 2, step 400"; layer < 0: of the whole run.
std::string nameAt(const std::string& what, int layer, std::int64_t step);

}  // namespace moe
