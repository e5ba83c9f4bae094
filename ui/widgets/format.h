#pragma once
#include <QString>
#include <cstdint>
#include <optional>
#include <string>

namespace moe::ui {

// Numbers as people read them: sensible digits, always a unit. Independent of the locale, like the exports.

/// Three digits that count: 1.92, 0.0312, 312, 1.2e-05. "–" for what is not a number.
QString number(double value);
/// 1.92, 0.04: for numbers of one size that stand side by side
QString twoDecimals(double value);
/// 1,234,567
QString grouped(std::int64_t value);
/// 950, 8.3k, 4.6 M, 1.2 G
QString shortCount(double value);
/// 8.3k tok/s; "–" where unknown (not above 0)
QString speed(double tokensPerSecond);
/// 12 %, 0.4 %
QString percent(double share);
/// 45 s, 3 min 20 s, 2 h 05 min
QString duration(double seconds);
/// 12.3 MiB
QString bytes(std::int64_t count);
/// 21.3 MFLOP
QString flops(double count);

/// A name that somebody gave, in a sentence: on one line, what would break or turn the line escaped, a long one elided.
QString shown(const std::string& name);

/// "layer 3" or "head", "Layer 3" or "Head", and where there is little room "L3" or "head"
QString layerWords(int layer);
QString layerTitle(int layer);
QString layerShort(int layer);

}  // namespace moe::ui
