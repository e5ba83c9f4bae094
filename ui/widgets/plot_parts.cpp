#include "ui/widgets/plot_parts.h"

#include "ui/widgets/format.h"
#include "ui/widgets/time_axis.h"

namespace moe::ui {

QVector<double> StepTicker::createTickVector(double, const QCPRange& range) {
  const StepTicks ticks = stepTicks(range.lower, range.upper, most);
  QVector<double> at;
  for (int i = 0; i < ticks.count; ++i) at << ticks.from + i * ticks.every;
  return at;
}

QString StepTicker::getTickLabel(double tick, const QLocale&, QChar, int) { return grouped(qRound64(tick)); }

QString ValueTicker::getTickLabel(double tick, const QLocale&, QChar, int) {
  if (std::abs(tick) >= 1000) return shortCount(tick).remove(".0");
  const QString text = QString::number(tick, 'g', 4);
  return text == "-0" ? "0" : text;
}

void PlotMarks::draw(QCPPainter* painter) {
  shown.clear();
  const QRect area = clipRect();
  const QFontMetrics metrics(font);
  QCPAxis* steps = mParentPlot->xAxis;
  painter->setFont(font);
  int free = area.right() + 1;  // labels stand right of their line, the newest first
  for (auto mark = marks.rbegin(); mark != marks.rend(); ++mark) {
    const int x = qRound(steps->coordToPixel(static_cast<double>(mark->step)));
    if (x < area.left() || x > area.right()) continue;
    painter->setPen(QPen(mark->colour, 1, Qt::DashLine));
    painter->drawLine(QLineF(x, area.top(), x, area.bottom()));
    const int width = metrics.horizontalAdvance(mark->label);
    // Where there is no room at the right it leans to the left.
    const int at = x + 3 + width <= free ? x + 3 : x - 3 - width;
    if (mark->label.isEmpty() || at < area.left() || at + width > free) continue;
    const QRect place(at, area.top() + 1, width + 1, metrics.height());
    painter->fillRect(place, ground);
    painter->drawText(place, Qt::AlignLeft | Qt::AlignTop, mark->label);
    shown.prepend(mark->label);
    free = std::min(at, x) - metrics.averageCharWidth();
  }
  if (cursor >= 0) {
    const int x = qRound(steps->coordToPixel(cursor));
    painter->setPen(QPen(cursorColour, 1));
    if (x >= area.left() && x <= area.right()) painter->drawLine(QLineF(x, area.top(), x, area.bottom()));
  }
}

namespace {

/// Where the entries stand, up to the last that finds room.
std::vector<QRect> placesOf(const PlotHeader& header, const QRect& rect) {
  const QFontMetrics metrics(header.font);
  const int line = metrics.height(), y = rect.top() + line + 2, swatch = 2 * line / 3, space = metrics.averageCharWidth() * 2 / 3;
  std::vector<QRect> places;
  int x = rect.left();
  for (std::size_t i = 0; i < header.entries.size(); ++i) {
    const int width = swatch + space + metrics.horizontalAdvance(header.entries[i].text) + 2 * space;
    const int rest = i + 1 < header.entries.size() ? metrics.horizontalAdvance(QChar(0x2026)) : -2 * space;
    if (x + width + rest > rect.right()) break;
    places.emplace_back(x, y, width, line);
    x += width;
  }
  return places;
}

}  // namespace

int PlotHeader::height() const { return 2 * QFontMetrics(font).height() + 4; }

void PlotHeader::paint(QPainter& painter, const QRect& rect) const {
  QFont bold = font;
  bold.setWeight(QFont::DemiBold);
  const QFontMetrics metrics(font), boldMetrics(bold);
  const int line = metrics.height();
  painter.setFont(bold);
  painter.setPen(text);
  painter.drawText(QRect(rect.left(), rect.top(), rect.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                   boldMetrics.elidedText(title, Qt::ElideRight, rect.width()));
  const int used = boldMetrics.horizontalAdvance(title + "  ");
  int room = rect.width() - used;
  if (!caution.isEmpty()) {  // before the unit: it must not be lost
    const int wide = std::min(room, boldMetrics.horizontalAdvance(caution));
    painter.setPen(warning);
    painter.drawText(QRect(rect.right() - wide, rect.top(), wide + 1, line), Qt::AlignRight | Qt::AlignVCenter,
                     boldMetrics.elidedText(caution, Qt::ElideRight, wide));
    room -= wide + boldMetrics.averageCharWidth();
  }
  painter.setFont(font);
  painter.setPen(muted);
  if (room > 3 * metrics.averageCharWidth())
    painter.drawText(QRect(rect.left() + used, rect.top(), room, line), Qt::AlignLeft | Qt::AlignVCenter,
                     metrics.elidedText(unit, Qt::ElideRight, room));

  const int y = rect.top() + line + 2, swatch = 2 * line / 3, space = metrics.averageCharWidth() * 2 / 3;
  const std::vector<QRect> places = placesOf(*this, rect);
  for (std::size_t i = 0; i < places.size(); ++i) {
    const Entry& entry = entries[i];
    const int x = places[i].left();
    painter.setPen(QPen(entry.colour, std::max(2.0, line / 6.0), entry.pen, Qt::FlatCap));
    painter.drawLine(x, y + line / 2, x + swatch, y + line / 2);
    painter.setPen(text);
    painter.drawText(places[i].adjusted(swatch + space, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, entry.text);
  }
  if (places.size() < entries.size()) {
    const int x = places.empty() ? rect.left() : places.back().right() + 1;
    painter.setPen(muted);
    painter.drawText(QRect(x, y, rect.right() - x, line), Qt::AlignLeft | Qt::AlignVCenter, QChar(0x2026));
  }
}

int PlotHeader::entryAt(const QRect& rect, const QPoint& point) const {
  const std::vector<QRect> places = placesOf(*this, rect);
  for (std::size_t i = 0; i < places.size(); ++i)
    if (places[i].contains(point)) return static_cast<int>(i);
  return -1;
}

}  // namespace moe::ui
