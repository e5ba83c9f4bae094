#include "ui/widgets/share_matrix.h"

#include <QContextMenuEvent>
#include <QKeyEvent>
#include <QLinearGradient>
#include <QMenu>
#include <QMouseEvent>
#include <QPainter>
#include <algorithm>
#include <cmath>

#include "ui/theme/palettes.h"
#include "ui/theme/theme.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {
constexpr int kPadding = 8;
constexpr int kLegend = 120;  // px of the scale
}  // namespace

ShareMatrix::ShareMatrix(Theme& theme, const QString& title, QWidget* parent)
    : QFrame(parent), theme_(theme), title_(title) {
  setObjectName("matrix");
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(title);
  const auto dress = [this] {
    const Colours& c = theme_.colours();
    setStyleSheet(
        QString(
            "#matrix { background: %1; border: 1px solid %2; border-radius: 4px; } #matrix:focus { border-color: %3; }")
            .arg(c.base.name(), c.border.name(), c.accent.name()));
    updateGeometry();
    update();
  };
  connect(&theme, &Theme::changed, this, dress);
  dress();
}

void ShareMatrix::setContent(Content content) {
  if (content == content_) return;
  content_ = std::move(content);
  if (row_ >= rows() || column_ >= columns()) row_ = column_ = -1;
  updateGeometry();
  update();
}

void ShareMatrix::setHint(const QString& sentence) {
  hint_ = sentence;
  update();
}

void ShareMatrix::setCaution(const QString& words) {
  caution_ = words;
  update();
}

float ShareMatrix::valueAt(int row, int column) const {
  return content_.values[static_cast<std::size_t>(row) * content_.columns.size() + static_cast<std::size_t>(column)];
}

void ShareMatrix::choose(int row, int column) {
  if (rows() == 0 || columns() == 0) return;
  row_ = std::clamp(row, 0, rows() - 1);
  column_ = std::clamp(column, 0, columns() - 1);
  setAccessibleDescription(readout());
  Q_EMIT columnChosen(column_);
  update();
}

QString ShareMatrix::readout() const {
  if (row_ < 0) return {};
  const float value = valueAt(row_, column_);
  return tr("%1, %2: %3")
      .arg(content_.rows[row_], content_.columns[column_],
           std::isfinite(value) ? percent(static_cast<double>(value)) : tr("nothing"));
}

QColor ShareMatrix::colourAt(int row, int column) const {
  const auto value = static_cast<double>(valueAt(row, column));
  if (!std::isfinite(value)) return theme_.colours().base;
  if (content_.even.empty()) return QColor(probabilityColour(value / content_.most));
  const auto even = static_cast<double>(content_.even[static_cast<std::size_t>(row)]);
  return QColor(loadColour(even > 0 ? value / even : 0, content_.most, theme_.dark()));
}

QRect ShareMatrix::cells(QSize size) const {
  const QFontMetrics metrics(theme_.axisFont());
  int label = 0;
  for (const QString& name : content_.rows) label = std::max(label, metrics.horizontalAdvance(name));
  const int top = 3 * QFontMetrics(theme_.font(Theme::Size::small)).height() + 14 + metrics.height();
  const QRect room(kPadding + label + 6, top, std::max(1, size.width() - 2 * kPadding - label - 6),
                   std::max(1, size.height() - top - kPadding));
  // Whole pixels a cell, so that no line is thicker than another.
  const int wide = std::max(1, room.width() / std::max(1, columns())),
            high = std::clamp(room.height() / std::max(1, rows()), 1, 3 * metrics.height());
  return {room.topLeft(), QSize(wide * columns(), high * rows())};
}

QRect ShareMatrix::cell(QSize size, int row, int column) const {
  const QRect all = cells(size);
  const int wide = all.width() / columns(), high = all.height() / rows();
  return {all.left() + column * wide, all.top() + row * high, wide, high};
}

void ShareMatrix::paintLegend(QPainter& painter, const QRect& bar) const {
  const Colours& c = theme_.colours();
  QLinearGradient gradient(bar.topLeft(), bar.topRight());
  constexpr int kStops = 24;
  const bool relative = !content_.even.empty();
  for (int i = 0; i <= kStops; ++i) {
    const double position = static_cast<double>(i) / kStops;
    const double load = position <= 0.5 ? 2 * position : std::pow(content_.most, 2 * position - 1);
    gradient.setColorAt(position, relative ? QColor(loadColour(load, content_.most, theme_.dark()))
                                           : QColor(probabilityColour(position)));
  }
  painter.fillRect(bar, gradient);
  painter.setPen(c.border);
  painter.drawRect(bar);
  const QFontMetrics metrics(theme_.axisFont());
  painter.setFont(theme_.axisFont());
  painter.setPen(c.muted);
  const auto tick = [&](double position, const QString& text) {
    const int wide = metrics.horizontalAdvance(text), x = bar.left() + static_cast<int>(position * bar.width());
    painter.drawText(QRect(std::clamp(x - wide / 2, bar.left() - 4, bar.right() - wide + 4), bar.bottom() + 2, wide + 1,
                           metrics.height()),
                     Qt::AlignLeft, text);
  };
  if (relative) {
    for (const double load : loadTicks(content_.most))
      tick(loadPosition(load, content_.most), QString::number(load, 'g', 2));
  } else {
    tick(0, percent(0));
    tick(1, percent(content_.most));
  }
}

void ShareMatrix::paintHeader(QPainter& painter, QSize size) const {
  const Colours& c = theme_.colours();
  const QFont font = theme_.font(Theme::Size::small);
  QFont bold = font;
  bold.setWeight(QFont::DemiBold);
  const QFontMetrics metrics(font), boldMetrics(bold);
  const int line = metrics.height(), right = size.width() - kPadding;
  painter.setFont(bold);
  painter.setPen(c.text);
  painter.drawText(QRect(kPadding, 5, right - kPadding, line), Qt::AlignLeft | Qt::AlignVCenter,
                   boldMetrics.elidedText(title_, Qt::ElideRight, right - kPadding));
  if (!caution_.isEmpty()) {
    painter.setPen(c.warning);
    const int used = boldMetrics.horizontalAdvance(title_ + "  ");
    painter.drawText(QRect(kPadding + used, 5, right - kPadding - used, line), Qt::AlignRight | Qt::AlignVCenter,
                     boldMetrics.elidedText(caution_, Qt::ElideRight, right - kPadding - used));
  }
  if (rows() == 0) return;
  const int bar = std::min(kLegend, size.width() / 4);
  painter.setFont(font);
  painter.setPen(c.muted);
  const int words = right - kPadding - bar - 12;
  painter.drawText(
      QRect(kPadding, 7 + line, words, line), Qt::AlignLeft | Qt::AlignVCenter,
      metrics.elidedText(metrics.horizontalAdvance(content_.scale) <= words ? content_.scale : content_.shortScale,
                         Qt::ElideRight, words));
  painter.setPen(c.text);
  painter.drawText(QRect(kPadding, 8 + 2 * line, words, line), Qt::AlignLeft | Qt::AlignVCenter,
                   metrics.elidedText(readout(), Qt::ElideRight, words));
  paintLegend(painter, QRect(right - bar - 4, 9 + line, bar, line - 4));
}

void ShareMatrix::paint(QPainter& painter, QSize size) const {
  painter.setLayoutDirection(Qt::LeftToRight);  // places are those of the data: nothing is mirrored
  const Colours& c = theme_.colours();
  paintHeader(painter, size);
  if (rows() == 0 || columns() == 0) {
    painter.setPen(c.muted);
    painter.setFont(theme_.font());
    painter.drawText(QRect(QPoint(), size).adjusted(3 * kPadding, 2 * kPadding, -3 * kPadding, 0),
                     Qt::AlignCenter | Qt::TextWordWrap, hint_);
    return;
  }
  const QFont font = theme_.axisFont();
  const QFontMetrics metrics(font);
  painter.setFont(font);
  const QRect all = cells(size), first = cell(size, 0, 0);
  const bool numbers = first.width() >= metrics.horizontalAdvance("100") + 4 && first.height() >= metrics.height();
  painter.setPen(c.muted);
  const int every = std::max(1, (metrics.horizontalAdvance("000") + first.width() - 1) / std::max(1, first.width()));
  for (int e = 0; e < columns(); e += every)
    painter.drawText(QRect(all.left() + e * first.width() - 8, all.top() - metrics.height() - 2, first.width() + 16,
                           metrics.height()),
                     Qt::AlignHCenter, content_.columns[e]);
  const int everyRow = std::max(1, (metrics.height() + first.height() - 1) / std::max(1, first.height()));
  for (int r = 0; r < rows(); r += everyRow)
    painter.drawText(QRect(kPadding, all.top() + r * first.height() + (first.height() - metrics.height()) / 2,
                           all.left() - kPadding - 6, metrics.height()),
                     Qt::AlignRight | Qt::AlignVCenter, content_.rows[r]);
  for (int r = 0; r < rows(); ++r)
    for (int e = 0; e < columns(); ++e) {
      const QRect place = cell(size, r, e);
      const QColor ground = colourAt(r, e);
      painter.fillRect(place.adjusted(0, 0, first.width() > 6 ? -1 : 0, first.height() > 6 ? -1 : 0), ground);
      const auto value = static_cast<double>(valueAt(r, e));
      if (!numbers || !std::isfinite(value)) continue;
      painter.setPen(textOn(ground));
      painter.drawText(place, Qt::AlignCenter, QString::number(100 * value, 'f', 0));
    }
  if (row_ < 0) return;
  painter.setPen(QPen(c.text, 2));
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(cell(size, row_, column_).adjusted(0, 0, -1, -1));
}

void ShareMatrix::paintEvent(QPaintEvent* event) {
  QFrame::paintEvent(event);
  QPainter painter(this);
  paint(painter, size());
}

void ShareMatrix::explain() {
  if (row_ < 0 || !source_) return;
  ExplainPopover::open(theme_, this, mapToGlobal(cell(size(), row_, column_).bottomLeft()), {source_(row_, column_)});
}

void ShareMatrix::keyPressEvent(QKeyEvent* event) {
  const int row = std::max(0, row_), column = std::max(0, column_);
  switch (event->key()) {
    case Qt::Key_Left: return choose(row, column - 1);
    case Qt::Key_Right: return choose(row, column_ < 0 ? 0 : column + 1);
    case Qt::Key_Up: return choose(row - 1, column);
    case Qt::Key_Down: return choose(row_ < 0 ? 0 : row + 1, column);
    case Qt::Key_Return:
    case Qt::Key_Enter: return explain();
    default: break;
  }
  if (event->matches(QKeySequence::Copy)) return copyFigure(*this);
  QFrame::keyPressEvent(event);
}

void ShareMatrix::mousePressEvent(QMouseEvent* event) {
  setFocus(Qt::MouseFocusReason);
  if (rows() == 0 || columns() == 0 || event->button() != Qt::LeftButton || !cells(size()).contains(event->pos()))
    return;
  const QRect first = cell(size(), 0, 0);
  choose((event->pos().y() - first.top()) / first.height(), (event->pos().x() - first.left()) / first.width());
}

void ShareMatrix::mouseDoubleClickEvent(QMouseEvent*) { explain(); }

void ShareMatrix::contextMenuEvent(QContextMenuEvent* event) {
  QMenu menu(this);
  addFigureActions(menu, *this, this);
  QAction* how = menu.addAction(tr("&How is this computed"));
  how->setEnabled(row_ >= 0);
  connect(how, &QAction::triggered, this, &ShareMatrix::explain);
  menu.exec(event->globalPos());
}

QString ShareMatrix::figureTitle() const { return title_; }
QSize ShareMatrix::figureSize() const { return size().expandedTo(minimumSizeHint()); }

void ShareMatrix::paintFigure(QPaintDevice& device, QSize size, bool) {
  QPainter painter(&device);
  painter.fillRect(QRect(QPoint(), size), theme_.colours().base);
  paint(painter, size);
}

QSize ShareMatrix::minimumSizeHint() const {
  const int line = QFontMetrics(theme_.axisFont()).height();
  const QRect inside = cells(QSize(1, 1));
  return {std::max(18 * line, inside.left() + kPadding + 6 * columns()),
          inside.top() + kPadding + std::max(5, std::min(rows(), 10)) * line};
}

QSize ShareMatrix::sizeHint() const {
  const int line = QFontMetrics(theme_.axisFont()).height();
  return minimumSizeHint().expandedTo(QSize(30 * line, 18 * line));
}

}  // namespace moe::ui
