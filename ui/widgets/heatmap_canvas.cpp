#include "ui/widgets/heatmap_canvas.h"

#include <QKeyEvent>
#include <QPainter>
#include <QTimer>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/time_axis.h"

namespace moe::ui {

namespace {
constexpr int kMilliseconds = 33;  // between two drawings at least
constexpr double kNearer = 0.8;
constexpr int kShake = 3;  // px a click may move
}  // namespace

HeatmapCanvas::HeatmapCanvas(Theme& theme, TimeAxis& time, Selection& selection, QWidget* parent)
    : QWidget(parent), theme_(theme), time_(time), selection_(selection), timer_(new QTimer(this)) {
  setMouseTracking(true);
  setBackgroundRole(QPalette::Base);
  setAutoFillBackground(true);
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("Load of every expert over the steps"));
  timer_->setSingleShot(true);
  timer_->setInterval(kMilliseconds);
  connect(timer_, &QTimer::timeout, this, [this] {
    update();
    Q_EMIT spotChanged();
  });
  connect(&time, &TimeAxis::changed, this, &HeatmapCanvas::refresh);
  connect(&selection, &Selection::changed, this, [this] {
    update();
    Q_EMIT spotChanged();
  });
  dress();
}

void HeatmapCanvas::setRun(RunId run, const RunColumns* columns) {
  run_ = run;
  columns_ = columns;
  images_.clear();
  fitHeight();
  refresh();
}

void HeatmapCanvas::setMost(double most) {
  if (most == most_) return;
  most_ = most;
  dress();
}

void HeatmapCanvas::setSpans(std::vector<ExpertSpan> spans) {
  spans_ = std::move(spans);
  refresh();
}

void HeatmapCanvas::setMarks(std::vector<PlotMark> marks) {
  std::stable_sort(marks.begin(), marks.end(), [](const PlotMark& a, const PlotMark& b) { return a.step < b.step; });
  marks_ = std::move(marks);
  refresh();
}

void HeatmapCanvas::refresh() {
  if (columns_ && images_.size() != columns_->layers().size()) {
    images_.assign(columns_->layers().size(), {});
    fitHeight();
  }
  if (!timer_->isActive()) timer_->start();
}

void HeatmapCanvas::dress() {
  colours_ = LoadImage::colours(most_, theme_.dark());
  for (LoadImage& image : images_) image.clear();
  fitHeight();
  update();
}

void HeatmapCanvas::fitHeight() { setMinimumHeight(geometryFor(QSize(width(), 1)).neededHeight); }

HeatmapGeometry::Margins HeatmapCanvas::margins() const {
  const QFontMetrics axis(theme_.axisFont());
  HeatmapGeometry::Margins m;
  m.left = axis.horizontalAdvance(theme_.presenter() ? "L0  00" : "layer 00  00") + 14;
  m.right = axis.horizontalAdvance("E0,0 dead") + 8;
  m.top = axis.height() + 4;
  m.bottom = axis.height() + 8;
  m.gap = theme_.presenter() ? 10 : 6;
  m.leastRow = theme_.presenter() ? 6 : 3;
  return m;
}

HeatmapGeometry HeatmapCanvas::geometryFor(QSize size) const {
  std::vector<int> experts;
  if (columns_)
    for (const RunColumns::Layer& layer : columns_->layers()) experts.push_back(layer.experts);
  return HeatmapGeometry::of(experts, size, margins());
}

std::optional<int> HeatmapCanvas::groupOf(int layer) const {
  if (!columns_) return std::nullopt;
  for (std::size_t g = 0; g < columns_->layers().size(); ++g)
    if (columns_->layers()[g].layer == layer) return static_cast<int>(g);
  return std::nullopt;
}

std::optional<HeatmapCanvas::Spot> HeatmapCanvas::spotAt(const HeatmapGeometry::Cell& cell, std::int64_t step) const {
  const RunColumns::Layer& layer = columns_->layers()[static_cast<std::size_t>(cell.group)];
  const auto index = columns_->indexAt(step);
  if (!index || step > columns_->lastStep() || step < 0) return std::nullopt;
  const auto group = static_cast<std::size_t>(cell.group);
  const int level = group < images_.size() ? images_[group].level() : 0;
  const std::size_t bucket = *index >> level, width = std::size_t{1} << level;
  if (bucket >= layer.load.buckets(level)) return std::nullopt;
  const std::size_t last = std::min(columns_->size(), (bucket + 1) * width) - 1;
  return Spot{.layer = layer.layer,
              .expert = cell.expert,
              .firstStep = columns_->steps()[bucket * width],
              .lastStep = columns_->steps()[last],
              .low = layer.load.low(level, bucket)[static_cast<std::size_t>(cell.expert)],
              .high = layer.load.high(level, bucket)[static_cast<std::size_t>(cell.expert)]};
}

std::optional<HeatmapCanvas::Spot> HeatmapCanvas::spot() const {
  if (!columns_ || columns_->empty()) return std::nullopt;
  if (pointer_) {
    const HeatmapGeometry g = geometryFor(size());
    if (const auto cell = g.at(pointer_->y()); cell && g.cells.contains(*pointer_))
      return spotAt(*cell, std::llround(g.stepAt(pointer_->x() + 0.5, time_.first(), time_.last())));
  }
  const Place& place = selection_.place();
  const auto group = groupOf(place.layer);
  if (!group || place.expert < 0 || place.expert >= columns_->layers()[static_cast<std::size_t>(*group)].experts)
    return std::nullopt;
  return spotAt({*group, place.expert},
                place.step >= 0 ? std::min(place.step, columns_->lastStep()) : columns_->lastStep());
}

std::optional<std::pair<int, int>> HeatmapCanvas::expertAt(int y) const {
  if (!columns_ || columns_->empty()) return std::nullopt;
  const auto cell = geometryFor(size()).at(y);
  if (!cell) return std::nullopt;
  return std::pair(columns_->layers()[static_cast<std::size_t>(cell->group)].layer, cell->expert);
}

bool HeatmapCanvas::event(QEvent* event) {
  if (event->type() == QEvent::FocusIn || event->type() == QEvent::FocusOut) update();
  return QWidget::event(event);
}

void HeatmapCanvas::resizeEvent(QResizeEvent*) { fitHeight(); }

void HeatmapCanvas::select(const QPoint& at) {
  if (!columns_ || columns_->empty()) return;
  const HeatmapGeometry g = geometryFor(size());
  const auto cell = g.at(at.y());
  if (!cell) return;
  Place place = selection_.place();
  place.run = run_;
  place.layer = columns_->layers()[static_cast<std::size_t>(cell->group)].layer;
  place.expert = cell->expert;
  if (g.cells.contains(at)) {
    const auto step = std::llround(g.stepAt(at.x() + 0.5, time_.first(), time_.last()));
    place.step = std::clamp<std::int64_t>(step, columns_->firstStep(), columns_->lastStep());
  }
  selection_.set(place);
}

void HeatmapCanvas::moveCursor(int rows, int steps) {
  if (!columns_ || columns_->empty() || columns_->layers().empty()) return;
  Place place = selection_.place();
  const HeatmapGeometry g = geometryFor(size());
  const auto group = groupOf(place.layer);
  HeatmapGeometry::Cell cell{group.value_or(0), group ? std::max(place.expert, 0) : 0};
  // The first press only shows where the cursor is.
  if (group && place.expert >= 0) cell = g.next(cell, rows);
  place.run = run_;
  place.layer = columns_->layers()[static_cast<std::size_t>(cell.group)].layer;
  place.expert = cell.expert;
  if (steps != 0) {
    const std::int64_t from = place.step >= 0 ? place.step : columns_->lastStep();
    place.step = std::clamp<std::int64_t>(from + steps, columns_->firstStep(), columns_->lastStep());
  }
  selection_.set(place);
}

void HeatmapCanvas::mousePressEvent(QMouseEvent* event) {
  if (event->button() != Qt::LeftButton) return event->ignore();
  pressed_ = event->pos();
  dragging_ = false;
}

void HeatmapCanvas::mouseMoveEvent(QMouseEvent* event) {
  pointer_ = event->pos();
  if (pressed_ && (dragging_ || std::abs(event->pos().x() - pressed_->x()) >= kShake)) {
    const HeatmapGeometry g = geometryFor(size());
    dragging_ = true;
    time_.pan((pressed_->x() - event->pos().x()) * (time_.last() - time_.first()) / g.cells.width());
    pressed_ = event->pos();
  }
  Q_EMIT spotChanged();
}

void HeatmapCanvas::mouseReleaseEvent(QMouseEvent* event) {
  if (pressed_ && !dragging_) select(event->pos());
  pressed_.reset();
}

void HeatmapCanvas::mouseDoubleClickEvent(QMouseEvent*) { time_.follow(); }

void HeatmapCanvas::wheelEvent(QWheelEvent* event) {
  // Up and down with Shift held, or sideways, is left to the scroll area.
  if (event->modifiers() & Qt::ShiftModifier || event->angleDelta().y() == 0) return event->ignore();
  const HeatmapGeometry g = geometryFor(size());
  time_.zoom(std::pow(kNearer, event->angleDelta().y() / 120.0),
             g.stepAt(event->position().x(), time_.first(), time_.last()));
  event->accept();
}

void HeatmapCanvas::leaveEvent(QEvent*) {
  pointer_.reset();
  Q_EMIT spotChanged();
}

void HeatmapCanvas::keyPressEvent(QKeyEvent* event) {
  const double span = time_.last() - time_.first();
  const Place& place = selection_.place();
  const double at = place.step >= 0 ? static_cast<double>(place.step) : time_.newest();
  const bool shift = event->modifiers() & Qt::ShiftModifier;
  const auto group = groupOf(place.layer);
  const int rows = columns_ && group ? columns_->layers()[static_cast<std::size_t>(*group)].experts : 1;
  pointer_.reset();  // from here on the keyboard leads the readout
  switch (event->key()) {
    case Qt::Key_Up: return moveCursor(-1, 0);
    case Qt::Key_Down: return moveCursor(1, 0);
    case Qt::Key_PageUp: return moveCursor(-rows, 0);
    case Qt::Key_PageDown: return moveCursor(rows, 0);
    case Qt::Key_Left: return shift ? time_.pan(-span / 8) : moveCursor(0, -1);
    case Qt::Key_Right: return shift ? time_.pan(span / 8) : moveCursor(0, 1);
    case Qt::Key_Plus:
    case Qt::Key_Equal: return time_.zoom(kNearer, at);
    case Qt::Key_Minus: return time_.zoom(1 / kNearer, at);
    case Qt::Key_Home: return time_.follow();
    case Qt::Key_Escape: return selection_.set({});
    default: QWidget::keyPressEvent(event);
  }
}

void HeatmapCanvas::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  paintAll(painter, size());
  if (hasFocus()) {
    painter.setPen(QPen(theme_.colours().accent, 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(rect().adjusted(0, 0, -1, -1));
  }
}

}  // namespace moe::ui
