#include "ui/theme/program_icon.h"

#include <QPainter>
#include <QPixmap>
#include <QSvgRenderer>

namespace moe::ui {

QIcon programIcon() {
  QSvgRenderer drawing(QStringLiteral(":/icons/switchyard.svg"));
  QIcon icon;
  for (const int side : {16, 32, 48, 128, 256}) {
    QPixmap picture(side, side);
    picture.fill(Qt::transparent);
    QPainter painter(&picture);
    drawing.render(&painter);
    painter.end();
    icon.addPixmap(picture);
  }
  return icon;
}

}  // namespace moe::ui
