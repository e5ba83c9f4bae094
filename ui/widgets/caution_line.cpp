#include "ui/widgets/caution_line.h"

#include "ui/theme/theme.h"

namespace moe::ui {

namespace {

QFont cautionFont(const Theme& theme) {
  QFont font = theme.font(Theme::Size::small);
  font.setWeight(QFont::DemiBold);
  return font;
}

}  // namespace

int cautionHeight(const Theme& theme, const QString& words) {
  return words.isEmpty() ? 0 : QFontMetrics(cautionFont(theme)).height() + 2;
}

void paintCaution(QPainter& painter, const Theme& theme, const QRect& line, const QString& words) {
  if (words.isEmpty()) return;
  const QFont font = cautionFont(theme);
  painter.setFont(font);
  painter.setPen(theme.colours().warning);
  painter.drawText(line, Qt::AlignRight | Qt::AlignVCenter,
                   QFontMetrics(font).elidedText(words, Qt::ElideRight, line.width()));
}

}  // namespace moe::ui
