#pragma once
#include <QRect>
#include <QString>
#include <vector>

namespace moe::ui {

/// Where the chips of a text stand: in lines that break where the width ends, a new line after a line break in the text.
/// A value, so that it is tested without painting.
struct TokenLayout {
  struct Metrics {
    int chipHeight = 22, stripHeight = 0;  // px: the chip, and the strip of all layers below it
    int padding = 6, gap = 4, lineGap = 10;
    int leastWidth = 26;  // so that the expert's number always fits
  };

  std::vector<QRect> chips;  // without the strip
  int height = 0;            // of all lines, strips included

  /// `widths`: of each token's text, px; `breaks`: whether the token ends a line of the text.
  static TokenLayout of(const std::vector<int>& widths, const std::vector<bool>& breaks, int width,
                        const Metrics& metrics);

  QRect strip(std::size_t token, const Metrics& metrics) const;
  /// The token whose chip or strip is at a point; -1: none.
  int at(QPoint point, const Metrics& metrics) const;
  /// The token nearest below (lines > 0) or above in another line; itself where there is none.
  int vertically(int token, int lines) const;
};

/// What stands on a chip: white space made visible, bytes that are no character as a lozenge.
QString chipText(const std::string& token);

}  // namespace moe::ui
