#include "ui/widgets/plot.h"

#include <QContextMenuEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QTimer>
#include <QVBoxLayout>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/format.h"
#include "ui/widgets/plot_parts.h"
#include "ui/widgets/time_axis.h"

namespace moe::ui {

namespace {
constexpr int kMilliseconds = 33;  // between two drawings at least
constexpr double kNearer = 0.8;    // a notch of the wheel, a press of +
constexpr int kPadding = 8;
}  // namespace

struct Plot::Impl {
  Impl(Theme& theme, TimeAxis& time, Plot* owner) : theme(theme), time(time), plot(new QCustomPlot(owner)) {}

  Theme& theme;
  TimeAxis& time;
  QCustomPlot* plot;
  PlotMarks* marks = nullptr;
  QSharedPointer<StepTicker> steps{new StepTicker};
  QWidget* header = nullptr;
  PlotHeader words;
  std::vector<PlotSeries> series;
  std::optional<double> lowest, highest;
  QString (*format)(double) = number;
  QString hint;
  QCPItemText* hintItem = nullptr;
  QTimer timer;
  bool dirty = true;
  std::optional<double> dragged;  // step under the pointer when the drag began
  bool moved = false;
};

namespace {

/// Paints the header's words; its own widget, so that running numbers redraw nothing else.
class HeaderWidget : public QWidget {
 public:
  HeaderWidget(const PlotHeader& words, Plot* plot) : QWidget(plot), words_(words), plot_(plot) {
    setMouseTracking(true);
  }

 protected:
  void paintEvent(QPaintEvent*) override {
    QPainter painter(this);
    words_.paint(painter, rect());
  }
  void mouseMoveEvent(QMouseEvent* event) override {
    setCursor(words_.entryAt(rect(), event->pos()) >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
  }
  void mouseReleaseEvent(QMouseEvent* event) override {
    const int entry = words_.entryAt(rect(), event->pos());
    if (event->button() == Qt::LeftButton && entry >= 0) plot_->explain(entry);
  }

 private:
  const PlotHeader& words_;
  Plot* plot_;
};

}  // namespace

Plot::Plot(Theme& theme, TimeAxis& time, const QString& title, const QString& unit, QWidget* parent)
    : QFrame(parent), impl_(std::make_unique<Impl>(theme, time, this)) {
  Impl& d = *impl_;
  setObjectName("plot");
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(title);
  d.words.title = title;
  d.words.unit = unit;
  d.header = new HeaderWidget(d.words, this);
  auto* all = new QVBoxLayout(this);
  all->setContentsMargins(kPadding, 5, kPadding, 2);
  all->setSpacing(0);
  all->addWidget(d.header);
  all->addWidget(d.plot, 1);

  d.marks = new PlotMarks(d.plot);
  d.hintItem = new QCPItemText(d.plot);
  d.hintItem->position->setType(QCPItemPosition::ptAxisRectRatio);
  d.hintItem->position->setCoords(0.5, 0.5);
  d.hintItem->setVisible(false);
  d.plot->setFocusPolicy(Qt::NoFocus);
  // A right click in the curves never reaches this widget by itself.
  d.plot->setContextMenuPolicy(Qt::CustomContextMenu);
  connect(d.plot, &QWidget::customContextMenuRequested, this,
          [this](const QPoint& at) { showMenu(impl_->plot->mapToGlobal(at)); });
  d.plot->xAxis->setTicker(d.steps);
  d.plot->yAxis->setTicker(QSharedPointer<ValueTicker>(new ValueTicker));
  d.plot->xAxis->setLabel(tr("step"));
  d.plot->axisRect()->setupFullAxesBox();
  for (QCPAxis* axis : {d.plot->xAxis2, d.plot->yAxis2}) axis->setTicks(false);

  connect(d.plot, &QCustomPlot::mouseWheel, this, [this](QWheelEvent* event) {
    impl_->time.zoom(std::pow(kNearer, event->angleDelta().y() / 120.0),
                     impl_->plot->xAxis->pixelToCoord(event->position().x()));
    event->accept();
  });
  connect(d.plot, &QCustomPlot::mousePress, this, [this](QMouseEvent* event) {
    setFocus(Qt::MouseFocusReason);
    if (event->button() != Qt::LeftButton) return;
    impl_->dragged = impl_->plot->xAxis->pixelToCoord(event->position().x());
    impl_->moved = false;
  });
  connect(d.plot, &QCustomPlot::mouseMove, this, [this](QMouseEvent* event) {
    if (!impl_->dragged) return;
    const QCPRange range = impl_->plot->xAxis->range();
    const double by = *impl_->dragged - impl_->plot->xAxis->pixelToCoord(event->position().x());
    // A hand shakes: what moves less than three pixels is a click.
    if (!impl_->moved && std::abs(by) * impl_->plot->axisRect()->width() < 3 * range.size()) return;
    impl_->moved = true;
    impl_->time.pan(by);
    impl_->plot->xAxis->setRange(impl_->time.first(), impl_->time.last());
  });
  connect(d.plot, &QCustomPlot::mouseRelease, this, [this](QMouseEvent*) {
    if (impl_->dragged && !impl_->moved) Q_EMIT cursorMoved(std::max<std::int64_t>(0, std::llround(*impl_->dragged)));
    impl_->dragged.reset();
  });
  connect(d.plot, &QCustomPlot::mouseDoubleClick, this, [this] { impl_->time.follow(); });

  d.timer.setSingleShot(true);
  d.timer.setInterval(kMilliseconds);
  connect(&d.timer, &QTimer::timeout, this, &Plot::draw);
  connect(&time, &TimeAxis::changed, this, &Plot::schedule);
  connect(&theme, &Theme::changed, this, &Plot::dress);
  dress();
}

Plot::~Plot() = default;

void Plot::dress() {
  Impl& d = *impl_;
  const Colours& c = d.theme.colours();
  setStyleSheet(
      QString("#plot { background: %1; border: 1px solid %2; border-radius: 4px; } #plot:focus { border-color: %3; }")
          .arg(c.base.name(), c.border.name(), c.accent.name()));
  d.words.font = d.theme.font(Theme::Size::small);
  d.words.text = c.text;
  d.words.muted = c.muted;
  d.words.warning = c.warning;
  d.words.forgetWidths();
  d.plot->setBackground(c.base);
  const QFont font = d.theme.axisFont();
  const QFontMetrics metrics(font);
  for (QCPAxis* axis : {d.plot->xAxis, d.plot->yAxis, d.plot->xAxis2, d.plot->yAxis2}) {
    axis->setBasePen(QPen(c.border, 1));
    axis->setTickPen(QPen(c.border, 1));
    axis->setTickLabelColor(c.muted);
    axis->setTickLabelFont(font);
    axis->setLabelColor(c.muted);
    axis->setLabelFont(font);
    axis->setLabelPadding(1);
    axis->grid()->setPen(QPen(c.grid, 1));
    axis->grid()->setZeroLinePen(QPen(c.border, 1));
  }
  // One left edge whatever the numbers are, so that the curves do not jump sideways.
  d.plot->axisRect()->setMinimumMargins(
      QMargins(metrics.horizontalAdvance("0.0000") + 8, 4, metrics.horizontalAdvance("00"), 4));
  d.marks->font = font;
  d.marks->cursorColour = c.text;
  d.marks->ground = c.base;
  d.marks->ground.setAlpha(200);
  d.hintItem->setFont(d.theme.font(Theme::Size::small));
  d.hintItem->setColor(c.muted);
  updateGeometry();
  setSeries(std::move(d.series));
}

void Plot::setSeries(std::vector<PlotSeries> series) {
  Impl& d = *impl_;
  d.series = std::move(series);
  d.words.forgetWidths();
  d.plot->clearGraphs();
  for (const PlotSeries& one : d.series) {
    QCPGraph* graph = d.plot->addGraph();
    graph->setPen(QPen(one.colour, d.theme.lineWidth(), one.pen));
    graph->setAdaptiveSampling(false);  // thinned already, with every extreme kept
    if (one.dots)
      graph->setScatterStyle(
          QCPScatterStyle(QCPScatterStyle::ssDisc, one.colour, one.colour, 3 + 1.5 * d.theme.lineWidth()));
  }
  schedule();
}

void Plot::setMarks(std::vector<PlotMark> marks) {
  std::stable_sort(marks.begin(), marks.end(), [](const PlotMark& a, const PlotMark& b) { return a.step < b.step; });
  impl_->marks->marks = std::move(marks);
  schedule();
}

void Plot::setCursor(std::int64_t step) {
  impl_->marks->cursor = static_cast<double>(step);
  schedule();
}

void Plot::setHint(const QString& sentence) {
  impl_->hint = sentence;
  schedule();
}

void Plot::setLeastRange(std::optional<double> lowest, std::optional<double> highest) {
  impl_->lowest = lowest;
  impl_->highest = highest;
  schedule();
}

void Plot::setFormat(QString (*format)(double)) { impl_->format = format; }

void Plot::setCaution(const QString& words) {
  if (impl_->words.caution == words) return;
  impl_->words.caution = words;
  impl_->header->update();
}

QString Plot::caution() const { return impl_->words.caution; }

void Plot::refresh() { schedule(); }

void Plot::schedule() {
  impl_->dirty = true;
  if (isVisible() && !impl_->timer.isActive()) impl_->timer.start();
}

void Plot::showEvent(QShowEvent*) {
  if (impl_->dirty) draw();
}

void Plot::resizeEvent(QResizeEvent* event) {
  QFrame::resizeEvent(event);
  schedule();
}

void Plot::draw() {
  Impl& d = *impl_;
  d.dirty = false;
  const double first = d.time.first(), last = d.time.last();
  const int columns = std::max(50, d.plot->axisRect()->width());
  double low = d.lowest.value_or(INFINITY), high = d.highest.value_or(-INFINITY);
  bool any = false;
  std::vector<PlotHeader::Entry> entries;
  const double at = d.marks->cursor >= 0 ? d.marks->cursor : d.time.newest();
  Curve curve;
  for (std::size_t i = 0; i < d.series.size(); ++i) {
    const PlotSeries& series = d.series[i];
    curve.x.clear();
    curve.y.clear();
    series.curve(curve, first, last, columns);
    for (const double y : curve.y)
      if (std::isfinite(y)) low = std::min(low, y), high = std::max(high, y), any = true;
    d.plot->graph(static_cast<int>(i))
        ->setData(QVector<double>(curve.x.begin(), curve.x.end()), QVector<double>(curve.y.begin(), curve.y.end()),
                  true);
    if (const auto value = series.valueAt ? series.valueAt(at) : std::nullopt)
      entries.push_back({series.name, d.format(*value), series.colour, series.pen, *value});
  }
  d.words.setEntries(std::move(entries));
  d.header->setFixedHeight(d.words.height(width() - 2 * kPadding));
  if (!(low <= high)) low = 0, high = 1;
  const double room = high > low ? 0.06 * (high - low) : std::max(0.05, 0.05 * std::abs(high));
  d.plot->yAxis->setRange(d.lowest && low >= *d.lowest ? low : low - room,
                          high + (d.marks->marks.empty() ? room : 3 * room));  // labels stand above the curves
  d.plot->xAxis->setRange(first, last);
  const QFontMetrics metrics(d.theme.axisFont());
  d.steps->most = std::max(2, columns / (metrics.horizontalAdvance("00,000") + 12));
  d.plot->yAxis->ticker()->setTickCount(std::clamp(d.plot->axisRect()->height() * 2 / (3 * metrics.height()),
                                                   d.plot->axisRect()->height() < 4 * metrics.height() ? 2 : 3, 6));

  d.plot->yAxis->setTickLabels(any);  // numbers of nothing would be false
  d.hintItem->setVisible(!any && !d.hint.isEmpty());
  if (d.hintItem->visible()) {
    // QCPItemText does not wrap: break at words to the width there is.
    const int most = std::max(8, (columns - 16) / std::max(1, metrics.averageCharWidth()));
    QString wrapped;
    int used = 0;
    for (const QString& word : d.hint.split(' ')) {
      if (used > 0 && used + 1 + word.size() > most) wrapped += '\n', used = 0;
      if (used > 0) wrapped += ' ', ++used;
      wrapped += word;
      used += static_cast<int>(word.size());
    }
    d.hintItem->setText(wrapped);
  }
  setAccessibleDescription(
      (QStringList(d.words.caution.isEmpty() ? QStringList() : QStringList{d.words.caution}) + legend()).join(", "));
  d.header->update();
  d.plot->replot(QCustomPlot::rpQueuedReplot);
}

QStringList Plot::legend() const {
  QStringList all;
  for (const PlotHeader::Entry& entry : impl_->words.entries()) all << entry.text();
  return all;
}

std::vector<Explanation> Plot::explanations() const {
  const Impl& d = *impl_;
  const double at = d.marks->cursor >= 0 ? d.marks->cursor : d.time.newest();
  std::vector<Explanation> all;
  for (const PlotSeries& series : d.series)
    if (series.explain && series.valueAt && series.valueAt(at)) all.push_back(series.explain(at));
  return all;
}

void Plot::explain(int entry) {
  ExplainPopover::open(impl_->theme, this, mapToGlobal(QPoint(kPadding, impl_->header->geometry().bottom() + 2)),
                       explanations(), entry);
}

QStringList Plot::shownMarks() const { return impl_->marks->shown; }

std::pair<double, double> Plot::valueRange() const {
  const QCPRange range = impl_->plot->yAxis->range();
  return {range.lower, range.upper};
}

QString Plot::figureTitle() const { return impl_->words.title; }
QSize Plot::figureSize() const { return size().expandedTo(minimumSizeHint()); }

void Plot::paintFigure(QPaintDevice& device, QSize size, bool vector) {
  Impl& d = *impl_;
  if (d.dirty) draw();
  QCPPainter painter(&device);
  if (vector) painter.setMode(QCPPainter::pmVectorized);
  painter.fillRect(QRect(QPoint(), size), d.theme.colours().base);
  const int wide = size.width() - 2 * kPadding, header = d.words.height(wide) + 6;
  d.words.paint(painter, QRect(kPadding, 4, wide, header - 6));
  painter.translate(0, header);
  d.plot->toPainter(&painter, size.width(), size.height() - header);
}

QSize Plot::minimumSizeHint() const {
  const int line = QFontMetrics(impl_->theme.axisFont()).height();
  return QSize(12 * line, 2 * QFontMetrics(impl_->words.font).height() + 4 +
                              (impl_->theme.presenter() ? 11 * line / 2 : 8 * line));
}

QSize Plot::sizeHint() const { return minimumSizeHint() + QSize(80, 20); }

void Plot::keyPressEvent(QKeyEvent* event) {
  Impl& d = *impl_;
  const double span = d.time.last() - d.time.first();
  const double at = d.marks->cursor >= 0 ? d.marks->cursor : d.time.newest();
  const bool shift = event->modifiers() & Qt::ShiftModifier;
  const int way = event->key() == Qt::Key_Left ? -1 : 1;
  switch (event->key()) {
    case Qt::Key_Left:
    case Qt::Key_Right:
      if (shift)
        d.time.pan(way * span / 8);
      else
        Q_EMIT cursorMoved(std::llround(std::clamp(at + way, 0.0, d.time.newest())));
      return;
    case Qt::Key_Plus:
    case Qt::Key_Equal: return d.time.zoom(kNearer, at);
    case Qt::Key_Minus: return d.time.zoom(1 / kNearer, at);
    case Qt::Key_Return:
    case Qt::Key_Enter: return explain();
    case Qt::Key_Home: return d.time.follow();
    case Qt::Key_Escape: Q_EMIT cursorMoved(-1); return;
    default: break;
  }
  if (event->matches(QKeySequence::Copy)) return copyFigure(*this);
  QFrame::keyPressEvent(event);
}

void Plot::contextMenuEvent(QContextMenuEvent* event) { showMenu(event->globalPos()); }

void Plot::showMenu(const QPoint& at) {
  QMenu menu(this);
  addFigureActions(menu, *this, this);
  connect(menu.addAction(tr("&How is this computed")), &QAction::triggered, this, [this] { explain(); });
  connect(menu.addAction(tr("Show all &steps")), &QAction::triggered, this, [this] { impl_->time.follow(); });
  menu.exec(at);
}

}  // namespace moe::ui
