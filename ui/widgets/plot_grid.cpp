#include "ui/widgets/plot_grid.h"

#include <QEvent>
#include <algorithm>
#include <cmath>

namespace moe::ui {

PlotGrid::PlotGrid(QWidget* parent) : QScrollArea(parent), content_(new QWidget) {
  setFrameShape(QFrame::NoFrame);
  setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  setWidget(content_);
  setFocusPolicy(Qt::NoFocus);
}

void PlotGrid::add(QWidget* plot) {
  plot->setParent(content_);
  plot->installEventFilter(this);
  entries_.push_back({plot});
  place();
}

void PlotGrid::setShown(QWidget* plot, bool shown) {
  for (Entry& entry : entries_)
    if (entry.plot == plot && entry.shown != shown) {
      entry.shown = shown;
      place();
    }
}

void PlotGrid::setGap(int gap) {
  gap_ = gap;
  place();
}

PlotGrid::Arrangement PlotGrid::arrange(int count, QSize area, QSize least, int gap) {
  Arrangement a;
  if (count == 0) return a;
  const int most = std::clamp((area.width() + gap) / (least.width() + gap), 1, count);
  // Of the arrangements without scrolling the one whose plots are nearest to twice as wide as high; else the widest.
  a.columns = most;
  double best = INFINITY;
  for (int columns = 1; columns <= most; ++columns) {
    const int rows = (count + columns - 1) / columns;
    const double width = (area.width() + gap) / columns - gap, height = (area.height() + gap) / rows - gap;
    if (height < least.height()) continue;
    const double empty = static_cast<double>(rows * columns - count) / count;  // places that nothing stands in
    const double off = std::abs(std::log(width / height / 2)) + 0.6 * empty;
    if (off < best) best = off, a.columns = columns;
  }
  a.rows = (count + a.columns - 1) / a.columns;
  const int fitting = std::clamp((area.height() + gap) / (least.height() + gap), 1, a.rows);
  a.rowHeight = std::max(least.height(), (area.height() + gap) / fitting - gap);
  return a;
}

void PlotGrid::place() {
  QSize least;
  int count = 0;
  for (const Entry& entry : entries_) {
    entry.plot->setVisible(entry.shown);
    if (!entry.shown) continue;
    ++count;
    least = least.expandedTo(entry.plot->minimumSizeHint());
  }
  const Arrangement a = arrange(count, viewport()->size(), least, gap_);
  columns_ = a.columns;
  const int width = (viewport()->width() + gap_) / a.columns - gap_;
  int i = 0;
  for (const Entry& entry : entries_) {
    if (!entry.shown) continue;
    entry.plot->setGeometry((i % a.columns) * (width + gap_), (i / a.columns) * (a.rowHeight + gap_), width,
                            a.rowHeight);
    ++i;
  }
  setMinimumHeight(least.height());  // never less than one whole row
  content_->resize(viewport()->width(), count == 0 ? 0 : a.rows * (a.rowHeight + gap_) - gap_);
}

void PlotGrid::resizeEvent(QResizeEvent* event) {
  QScrollArea::resizeEvent(event);
  place();
}

bool PlotGrid::eventFilter(QObject* watched, QEvent* event) {
  if (event->type() == QEvent::LayoutRequest || event->type() == QEvent::FontChange) place();
  if (event->type() == QEvent::FocusIn) ensureWidgetVisible(static_cast<QWidget*>(watched), 0, 0);
  return QScrollArea::eventFilter(watched, event);
}

}  // namespace moe::ui
