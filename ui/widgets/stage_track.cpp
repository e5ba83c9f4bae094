#include "ui/widgets/stage_track.h"

#include <QPainter>
#include <QVBoxLayout>

#include "ui/theme/theme.h"
#include "ui/widgets/stage_card.h"

namespace moe::ui {

namespace {
constexpr int kRail = 18;  // px, width of the rail's strip
}

StageTrack::StageTrack(Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme), column_(new QVBoxLayout(this)) {
  connect(&theme, &Theme::changed, this, &StageTrack::dress);
  dress();
}

void StageTrack::add(StageCard* card) {
  cards_.push_back(card);
  column_->addWidget(card);
}

void StageTrack::dress() {
  column_->setContentsMargins(kRail, 0, 0, 0);
  column_->setSpacing(theme_.gap());
  update();
}

void StageTrack::paintEvent(QPaintEvent*) {
  std::vector<int> stations;
  for (const StageCard* card : cards_)
    if (!card->isHidden()) stations.push_back(card->y() + card->station());
  if (stations.empty()) return;
  QPainter painter(this);
  painter.setRenderHint(QPainter::Antialiasing);
  const double x = kRail / 2.0 - 1, radius = theme_.presenter() ? 5 : 4;
  painter.setPen(QPen(theme_.colours().border, theme_.presenter() ? 3 : 2));
  painter.drawLine(QPointF(x, stations.front()), QPointF(x, stations.back()));
  painter.setPen(QPen(theme_.colours().accent, theme_.presenter() ? 3 : 2));
  painter.setBrush(theme_.colours().window);
  for (int y : stations) painter.drawEllipse(QPointF(x, y), radius, radius);
}

}  // namespace moe::ui
