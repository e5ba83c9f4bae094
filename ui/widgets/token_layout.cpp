#include "ui/widgets/token_layout.h"

#include <algorithm>
#include <cstdlib>

namespace moe::ui {

TokenLayout TokenLayout::of(const std::vector<int>& widths, const std::vector<bool>& breaks, int width,
                            const Metrics& metrics) {
  TokenLayout layout;
  const int lineHeight = metrics.chipHeight + metrics.stripHeight + metrics.lineGap;
  int x = 0, y = 0;
  for (std::size_t i = 0; i < widths.size(); ++i) {
    const int chip = std::max(metrics.leastWidth, widths[i] + 2 * metrics.padding);
    if (x > 0 && x + chip > width) x = 0, y += lineHeight;
    layout.chips.emplace_back(x, y, chip, metrics.chipHeight);
    x += chip + metrics.gap;
    if (breaks[i] && i + 1 < widths.size()) x = 0, y += lineHeight;
  }
  layout.height = widths.empty() ? 0 : y + lineHeight;
  return layout;
}

QRect TokenLayout::strip(std::size_t token, const Metrics& metrics) const {
  const QRect& chip = chips[token];
  return {chip.left(), chip.bottom() + 1, chip.width(), metrics.stripHeight};
}

int TokenLayout::at(QPoint point, const Metrics& metrics) const {
  for (std::size_t i = 0; i < chips.size(); ++i)
    if (chips[i].united(strip(i, metrics)).contains(point)) return static_cast<int>(i);
  return -1;
}

int TokenLayout::vertically(int token, int lines) const {
  if (token < 0 || token >= static_cast<int>(chips.size())) return token;
  const QRect from = chips[static_cast<std::size_t>(token)];
  int best = token, bestLine = 0, bestDistance = 0;
  for (int i = 0; i < static_cast<int>(chips.size()); ++i) {
    const QRect& chip = chips[static_cast<std::size_t>(i)];
    const int line = chip.top() - from.top();
    if (line == 0 || (line > 0) != (lines > 0)) continue;
    const int distance = std::abs(chip.center().x() - from.center().x());
    if (best == token || std::abs(line) < bestLine || (std::abs(line) == bestLine && distance < bestDistance))
      best = i, bestLine = std::abs(line), bestDistance = distance;
  }
  return best;
}

QString chipText(const std::string& token) {
  QString text;
  for (const QChar c : QString::fromStdString(token)) {
    if (c == ' ')
      text += QChar(0x2423);  // open box
    else if (c == '\n')
      text += QChar(0x21B5);  // return arrow
    else if (c == '\t')
      text += QChar(0x21E5);
    else if (c == QChar(0xFFFD) || !c.isPrint())
      text += QChar(0x25CA);  // lozenge
    else
      text += c;
  }
  return text.isEmpty() ? QString(QChar(0x25CA)) : text;
}

}  // namespace moe::ui
