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

void PlotHeader::setEntries(std::vector<Entry> entries) {
  entries_ = std::move(entries);
  const QFontMetrics metrics(font);
  for (const Entry& entry : entries_) {
    int& widest = widest_[entry.name];
    widest = std::max(widest, metrics.horizontalAdvance(entry.text()));
  }
}

int PlotHeader::widthOf(const Entry& entry) const {
  const QFontMetrics metrics(font);
  const auto known = widest_.find(entry.name);
  return 2 * metrics.height() / 3 + 2 * metrics.averageCharWidth() + (known == widest_.end() ? 0 : known->second);
}

int PlotHeader::lines(int width) const {
  int all = 0, widest = 1;
  for (const Entry& entry : entries_) all += widthOf(entry), widest = std::max(widest, widthOf(entry));
  const int space = 4 * QFontMetrics(font).averageCharWidth() / 3;  // behind the last
  if (all - space <= width) return 1;
  const int columns = std::max(1, (width + space) / widest);
  const int rows = (static_cast<int>(entries_.size()) + columns - 1) / columns;
  if (rows <= 2) return 2;
  return rows <= 4 && stripEnds() > width / 2 ? rows : 0;
}

int PlotHeader::stripEnds() const {
  const QFontMetrics metrics(font);
  return metrics.horizontalAdvance(entries_.front().name + entries_.back().name + "  0.000 \u2013 0.000") +
         2 * metrics.averageCharWidth();
}

bool PlotHeader::isStrip(int width) const { return lines(width) == 0; }

int PlotHeader::height(int width) const { return (1 + std::max(1, lines(width))) * QFontMetrics(font).height() + 4; }

std::vector<QRect> PlotHeader::places(const QRect& rect) const {
  const QFontMetrics metrics(font);
  const int line = metrics.height(), y = rect.top() + line + 2, space = 4 * metrics.averageCharWidth() / 3;
  std::vector<QRect> all;
  int x = rect.left();
  const int rows = lines(rect.width());
  switch (rows) {
    case 1:
      for (const Entry& entry : entries_) {
        all.emplace_back(x, y, widthOf(entry), line);
        x += widthOf(entry);
      }
      break;
    default: {
      int widest = 1;
      for (const Entry& entry : entries_) widest = std::max(widest, widthOf(entry));
      const auto columns = static_cast<std::size_t>(std::max(1, (rect.width() + space) / widest));
      // As many columns as the lines need, not more: they stand evenly.
      const std::size_t used =
          std::min(columns, (entries_.size() + static_cast<std::size_t>(rows) - 1) / static_cast<std::size_t>(rows));
      for (std::size_t i = 0; i < entries_.size(); ++i)
        all.emplace_back(rect.left() + static_cast<int>(i % used) * widest, y + static_cast<int>(i / used) * line,
                         widest, line);
      break;
    }
    case 0: {
      x += metrics.horizontalAdvance(entries_.front().name) + space / 2;
      const int each = std::clamp((rect.width() - stripEnds()) / static_cast<int>(entries_.size()), 3, line);
      for (std::size_t i = 0; i < entries_.size(); ++i) all.emplace_back(x + static_cast<int>(i) * each, y, each, line);
    }
  }
  return all;
}

void PlotHeader::paint(QPainter& painter, const QRect& rect) const {
  painter.setLayoutDirection(Qt::LeftToRight);  // places are those of the data: nothing is mirrored
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
    const int wide = std::min(room, boldMetrics.horizontalAdvance(caution) + 2);  // widths are rounded
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

  if (isStrip(rect.width())) return paintStrip(painter, rect);
  const int swatch = 2 * line / 3, space = metrics.averageCharWidth() * 2 / 3;
  const std::vector<QRect> where = places(rect);
  for (std::size_t i = 0; i < where.size(); ++i) {
    const Entry& entry = entries_[i];
    const int x = where[i].left(), middle = where[i].top() + line / 2;
    painter.setPen(QPen(entry.colour, std::max(2.0, line / 6.0), entry.pen, Qt::FlatCap));
    painter.drawLine(x, middle, x + swatch, middle);
    painter.setPen(text);
    const QRect room = where[i].adjusted(swatch + space, 0, 0, 0);
    painter.drawText(
        room, Qt::AlignLeft | Qt::AlignVCenter,
        metrics.elidedText(entry.text(), Qt::ElideMiddle, std::min(room.width(), rect.right() - room.left())));
  }
}

void PlotHeader::paintStrip(QPainter& painter, const QRect& rect) const {
  const QFontMetrics metrics(font);
  const int line = metrics.height();
  const std::vector<QRect> where = places(rect);
  painter.setPen(text);
  painter.drawText(QRect(rect.left(), where.front().top(), where.front().left() - rect.left(), line),
                   Qt::AlignLeft | Qt::AlignVCenter, entries_.front().name);
  for (std::size_t i = 0; i < where.size(); ++i)
    painter.fillRect(where[i].adjusted(0, line / 4, -1, -line / 4), entries_[i].colour);
  const auto [low, high] = std::minmax_element(entries_.begin(), entries_.end(),
                                               [](const Entry& a, const Entry& b) { return a.number < b.number; });
  const QString values = low->value == high->value ? low->value : low->value + " \u2013 " + high->value;
  const int x = where.back().right() + metrics.averageCharWidth() / 2;
  painter.drawText(QRect(x, where.front().top(), rect.right() - x, line), Qt::AlignLeft | Qt::AlignVCenter,
                   metrics.elidedText(entries_.back().name + "  " + values, Qt::ElideRight, rect.right() - x));
}

int PlotHeader::entryAt(const QRect& rect, const QPoint& point) const {
  const std::vector<QRect> where = places(rect);
  for (std::size_t i = 0; i < where.size(); ++i)
    if (where[i].contains(point)) return static_cast<int>(i);
  // The words beside a strip open the first: the others are an arrow key away.
  return isStrip(rect.width()) && point.y() >= where.front().top() ? 0 : -1;
}

}  // namespace moe::ui
