#include "ui/widgets/expert_heatmap.h"

#include <QContextMenuEvent>
#include <QLinearGradient>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <QScrollArea>
#include <QShortcut>
#include <QVBoxLayout>
#include <algorithm>
#include <cmath>

#include "ui/models/run_columns.h"
#include "ui/theme/palettes.h"
#include "ui/theme/theme.h"
#include "ui/widgets/card.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/format.h"
#include "ui/widgets/heatmap_canvas.h"
#include "ui/widgets/time_axis.h"

namespace moe::ui {

namespace {

constexpr int kPadding = 8;

QString times(double load) { return load < 0.0995 && load > 0 ? QString::number(load, 'f', 3) : number(load); }

}  // namespace

ExpertHeatmap::ExpertHeatmap(Theme& theme, TimeAxis& time, Selection& selection, QWidget* parent)
    : QFrame(parent),
      theme_(theme),
      selection_(selection),
      scroll_(new QScrollArea(this)),
      canvas_(new HeatmapCanvas(theme, time, selection, nullptr)),
      hint_(new EmptyHint(theme, {}, this)) {
  setObjectName("yard");
  scroll_->setWidget(canvas_);
  scroll_->setWidgetResizable(true);
  scroll_->setFrameShape(QFrame::NoFrame);
  scroll_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
  scroll_->setBackgroundRole(QPalette::Base);
  scroll_->setFocusProxy(canvas_);
  setFocusProxy(canvas_);
  auto* all = new QVBoxLayout(this);
  all->addWidget(scroll_, 1);
  all->addWidget(hint_, 1);
  connect(canvas_, &HeatmapCanvas::spotChanged, this, &ExpertHeatmap::showReadout);
  connect(&theme, &Theme::changed, this, &ExpertHeatmap::dress);
  auto* copy = new QShortcut(QKeySequence::Copy, canvas_, this, [this] { copyFigure(*this); });
  copy->setContext(Qt::WidgetShortcut);
  for (const int key : {Qt::Key_Return, Qt::Key_Enter}) {
    auto* how = new QShortcut(QKeySequence(key), canvas_, this, &ExpertHeatmap::explain);
    how->setContext(Qt::WidgetShortcut);
  }
  dress();
}

ExpertHeatmap::~ExpertHeatmap() = default;

void ExpertHeatmap::setRun(RunId run, const RunColumns* columns) {
  canvas_->setRun(run, columns);
  refresh();
}

void ExpertHeatmap::setMost(double most) {
  canvas_->setMost(most);
  update();
}

void ExpertHeatmap::setSpans(std::vector<ExpertSpan> spans) { canvas_->setSpans(std::move(spans)); }
void ExpertHeatmap::setMarks(std::vector<PlotMark> marks) { canvas_->setMarks(std::move(marks)); }
void ExpertHeatmap::setHint(const QString& sentence) { hint_->setText(sentence); }

void ExpertHeatmap::setCaution(const QString& words) {
  if (caution_ == words) return;
  caution_ = words;
  showReadout();
}

void ExpertHeatmap::explain() {
  const auto spot = canvas_->spot();
  if (!spot || !source_) return;
  ExplainPopover::open(theme_, this, mapToGlobal(QPoint(kPadding, headerHeight())),
                       source_(spot->layer, spot->expert, spot->lastStep));
}

void ExpertHeatmap::mouseReleaseEvent(QMouseEvent* event) {
  if (event->button() == Qt::LeftButton && event->pos().y() < headerHeight()) return explain();
  QFrame::mouseReleaseEvent(event);
}

void ExpertHeatmap::refresh() {
  const RunColumns* columns = canvas_->columns();
  const bool any = columns && !columns->empty() && !columns->layers().empty();
  scroll_->setVisible(any);
  hint_->setVisible(!any);
  canvas_->refresh();
}

void ExpertHeatmap::showReadout() {
  setAccessibleDescription(caution_.isEmpty() ? readout() : caution_ + ". " + readout());
  update(QRect(0, 0, width(), headerHeight()));
}

QString ExpertHeatmap::readout() const {
  const RunColumns* columns = canvas_->columns();
  if (!columns || columns->empty()) return {};
  if (const auto spot = canvas_->spot()) {
    const bool brief = theme_.presenter();  // large type leaves no room for the words
    const QString place = brief ? QString("%1 E%2").arg(layerShort(spot->layer)).arg(spot->expert)
                                : tr("%1, expert %2").arg(layerWords(spot->layer)).arg(spot->expert);
    const QString unit = brief ? QString(QChar(0x00d7)) : tr("of fair share");
    if (spot->firstStep == spot->lastStep)
      return tr("%1, step %2: %3 %4").arg(place, grouped(spot->lastStep), times(spot->high), unit);
    return tr("%1, steps %2 to %3: %4 to %5 %6")
        .arg(place, grouped(spot->firstStep), grouped(spot->lastStep), times(spot->low), times(spot->high), unit);
  }
  // Nothing chosen: the extremes of the newest step.
  struct Extreme {
    int layer = 0, expert = 0;
    double load = NAN;
  } low, high;
  for (const RunColumns::Layer& layer : columns->layers()) {
    const auto row = layer.load.row(columns->size() - 1);
    for (int e = 0; e < layer.experts; ++e) {
      const double load = row[static_cast<std::size_t>(e)];
      if (!(low.load <= load)) low = {layer.layer, e, load};
      if (!(high.load >= load)) high = {layer.layer, e, load};
    }
  }
  if (theme_.presenter())
    return tr("%1 E%2 %3× to %4 E%5 %6×")
        .arg(layerShort(low.layer))
        .arg(low.expert)
        .arg(twoDecimals(low.load))
        .arg(layerShort(high.layer))
        .arg(high.expert)
        .arg(twoDecimals(high.load));
  return tr("step %1: lowest %2 E%3 %4, highest %5 E%6 %7")
      .arg(grouped(columns->lastStep()), layerShort(low.layer))
      .arg(low.expert)
      .arg(times(low.load), layerShort(high.layer))
      .arg(high.expert)
      .arg(times(high.load));
}

QColor ExpertHeatmap::colourAt(int layer, int expert, std::int64_t step) const {
  const auto group = canvas_->groupOf(layer);
  const auto index = canvas_->columns() ? canvas_->columns()->indexAt(step) : std::nullopt;
  if (!group || !index) return {};
  const LoadImage& image = canvas_->image(*group);
  const std::size_t bucket = *index >> image.level();
  if (bucket < image.firstBucket() || bucket >= image.firstBucket() + image.columns()) return {};
  return image.image().pixelColor(static_cast<int>(bucket - image.firstBucket()), 2 * expert);
}

int ExpertHeatmap::headerHeight() const { return 2 * QFontMetrics(theme_.font(Theme::Size::small)).height() + 12; }

void ExpertHeatmap::dress() {
  const Colours& c = theme_.colours();
  setStyleSheet(QString("#yard { background: %1; border: 1px solid %2; border-radius: 4px; }")
                    .arg(c.base.name(), c.border.name()));
  layout()->setContentsMargins(kPadding, headerHeight(), kPadding, 2);
  canvas_->dress();
  update();
}

void ExpertHeatmap::paintHeader(QPainter& painter, const QRect& rect) const {
  painter.setLayoutDirection(Qt::LeftToRight);  // places are those of the data: nothing is mirrored
  const Colours& c = theme_.colours();
  QFont font = theme_.font(Theme::Size::small), bold = font, axis = theme_.axisFont();
  bold.setWeight(QFont::DemiBold);
  const QFontMetrics metrics(font), boldMetrics(bold), axisMetrics(axis);
  const int line = metrics.height();

  // The colour bar at the right: load over fair share, 0 to the most, with the fair share in the middle.
  const QString unit = tr("load / fair share");
  const int width = std::min(rect.width() / 3, theme_.presenter() ? 260 : 170);
  const QRect bar(rect.right() - width - axisMetrics.horizontalAdvance("0"), rect.top() + 2, width, line - 3);
  QLinearGradient gradient(bar.topLeft(), bar.topRight());
  const double most = canvas_->most();
  constexpr int kStops = 32;
  for (int i = 0; i <= kStops; ++i) {
    const double position = static_cast<double>(i) / kStops;
    const double load = position <= 0.5 ? 2 * position : std::pow(most, 2 * position - 1);
    gradient.setColorAt(position, QColor(loadColour(load, most, theme_.dark())));
  }
  painter.fillRect(bar, gradient);
  painter.setPen(c.border);
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(bar);
  painter.setFont(axis);
  painter.setPen(c.muted);
  for (const double tick : loadTicks(most)) {
    const int x = bar.left() + static_cast<int>(std::lround(loadPosition(tick, most) * bar.width()));
    painter.drawLine(x, bar.bottom() - 2, x, bar.bottom() + 3);
    const QString label = QString::number(tick, 'g', 3);
    const int w = axisMetrics.horizontalAdvance(label);
    painter.drawText(QRect(x - w / 2 - 1, bar.bottom() + 3, w + 2, axisMetrics.height()),
                     Qt::AlignHCenter | Qt::AlignTop, label);
  }
  painter.setFont(font);
  const int unitWidth = metrics.horizontalAdvance(unit);
  const QString title = tr("The yard");
  int right = bar.left() - 8;
  painter.setFont(bold);
  painter.setPen(c.text);
  painter.drawText(QRect(rect.left(), rect.top(), rect.width(), line), Qt::AlignLeft | Qt::AlignVCenter, title);
  painter.setFont(font);
  painter.setPen(c.muted);
  int after = rect.left() + boldMetrics.horizontalAdvance(title + "  ");
  if (!caution_.isEmpty()) {
    painter.setFont(bold);
    painter.setPen(c.warning);
    painter.drawText(QRect(after, rect.top(), std::max(0, right - after), line), Qt::AlignLeft | Qt::AlignVCenter,
                     boldMetrics.elidedText(caution_, Qt::ElideRight, std::max(0, right - after)));
    after += boldMetrics.horizontalAdvance(caution_ + "  ");
    painter.setFont(font);
    painter.setPen(c.muted);
  }
  if (right - unitWidth > after) {
    painter.drawText(QRect(right - unitWidth, rect.top(), unitWidth + 1, line), Qt::AlignRight | Qt::AlignVCenter,
                     unit);
    const int room = right - unitWidth - 12 - after;
    if (room > 8 * metrics.averageCharWidth())
      painter.drawText(QRect(after, rect.top(), room, line), Qt::AlignLeft | Qt::AlignVCenter,
                       metrics.elidedText(tr("experts down, steps across"), Qt::ElideRight, room));
  }
  painter.setPen(c.text);
  const int below = bar.left() - 12 - rect.left();
  painter.drawText(QRect(rect.left(), rect.top() + line + 2, below, line), Qt::AlignLeft | Qt::AlignVCenter,
                   metrics.elidedText(readout(), Qt::ElideRight, below));
}

void ExpertHeatmap::paintEvent(QPaintEvent* event) {
  QFrame::paintEvent(event);
  QPainter painter(this);
  paintHeader(painter, QRect(kPadding, 5, width() - 2 * kPadding, headerHeight() - 5));
}

void ExpertHeatmap::resizeEvent(QResizeEvent* event) {
  QFrame::resizeEvent(event);
  update();
}

QString ExpertHeatmap::figureTitle() const { return tr("Expert load"); }
QSize ExpertHeatmap::figureSize() const { return QSize(width(), headerHeight() + canvas_->height() + 4); }

void ExpertHeatmap::paintFigure(QPaintDevice& device, QSize size, bool) {
  QPainter painter(&device);
  painter.fillRect(QRect(QPoint(), size), theme_.colours().base);
  paintHeader(painter, QRect(kPadding, 5, size.width() - 2 * kPadding, headerHeight() - 5));
  painter.translate(kPadding, headerHeight());
  canvas_->paintAll(painter, QSize(size.width() - 2 * kPadding, size.height() - headerHeight() - 4));
}

QSize ExpertHeatmap::minimumSizeHint() const {
  const int line = QFontMetrics(theme_.axisFont()).height();
  return QSize(22 * line, headerHeight() + std::min(canvas_->minimumHeight() + 4, 12 * line));
}

QSize ExpertHeatmap::sizeHint() const { return QSize(640, 340); }

void ExpertHeatmap::contextMenuEvent(QContextMenuEvent* event) {
  QMenu menu(this);
  const Place& place = selection_.place();
  auto expert = canvas_->expertAt(canvas_->mapFromGlobal(event->globalPos()).y());
  if (event->reason() == QContextMenuEvent::Keyboard)  // the cursor says which
    expert = canvas_->groupOf(place.layer) && place.expert >= 0 ? std::optional(std::pair(place.layer, place.expert))
                                                                : std::nullopt;
  if (expert) {
    Q_EMIT menuOpens(&menu, expert->first, expert->second);
    if (!menu.isEmpty()) menu.addSeparator();
  }
  addFigureActions(menu, *this, this);
  QAction* how = menu.addAction(tr("&How is this computed"));
  how->setEnabled(canvas_->spot().has_value());
  connect(how, &QAction::triggered, this, &ExpertHeatmap::explain);
  menu.exec(event->globalPos());
}

}  // namespace moe::ui
