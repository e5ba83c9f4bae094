#include "ui/widgets/token_strip.h"

#include <QContextMenuEvent>
#include <QHelpEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QPainter>
#include <QToolTip>
#include <algorithm>

#include "ui/theme/palettes.h"
#include "ui/theme/theme.h"
#include "ui/widgets/caution_line.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {

constexpr int kMargin = 6;

/// What a token's layer is drawn from.
struct Cell {
  int expert = -1, experts = 0;
  bool dropped = false;
};
Cell cellOf(const TokenLayerRouting& layer) {
  int first = layer.experts.empty() ? -1 : layer.experts.front();
  // Where every expert is asked there is no first choice: the largest share stands for the token.
  if (first >= 0 && layer.experts.size() == layer.probabilities.size() && !layer.weights.empty())
    first = layer.experts[static_cast<std::size_t>(std::max_element(layer.weights.begin(), layer.weights.end()) -
                                                   layer.weights.begin())];
  return {first, static_cast<int>(layer.probabilities.size()), layer.dropped};
}

void fillCell(QPainter& painter, const QRect& rect, const Cell& cell, const QColor& ground) {
  painter.fillRect(rect, cell.expert < 0 ? ground : expertColour(cell.expert, cell.experts));
  if (cell.dropped) painter.fillRect(rect, QBrush(ground, Qt::BDiagPattern));
}

}  // namespace

TokenStrip::TokenStrip(Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  setFocusPolicy(Qt::StrongFocus);
  setAccessibleName(tr("The text as tokens"));
  QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Minimum);
  policy.setHeightForWidth(true);
  setSizePolicy(policy);
  connect(&theme_, &Theme::changed, this, &TokenStrip::arrange);
}

TokenLayout::Metrics TokenStrip::metrics() const {
  const QFontMetrics text(theme_.font());
  const QFontMetrics small(theme_.axisFont());
  const int layers =
      routing_ && !routing_->tokens.empty() ? static_cast<int>(routing_->tokens.front().layers.size()) : 0;
  return {.chipHeight = text.height() + small.height() + 4,
          .stripHeight = layers * (small.height() + 1),
          .padding = theme_.gap(),
          .gap = theme_.gap() - 2,
          .lineGap = 2 * theme_.gap(),
          .leastWidth = small.horizontalAdvance("E888") + 4};
}

TokenLayout TokenStrip::layoutFor(int width) const {
  std::vector<int> widths;
  std::vector<bool> breaks;
  if (routing_) {
    const QFontMetrics text(theme_.font());
    for (const TokenRouting& token : routing_->tokens) {
      widths.push_back(text.horizontalAdvance(chipText(token.text)));
      breaks.push_back(!token.text.empty() && token.text.back() == '\n');
    }
  }
  return TokenLayout::of(widths, breaks, width - 2 * kMargin - labelWidth(), metrics());
}

int TokenStrip::labelWidth() const { return QFontMetrics(theme_.axisFont()).horizontalAdvance("head "); }

QPoint TokenStrip::origin() const { return {kMargin + labelWidth(), kMargin + cautionHeight(theme_, caution_)}; }

int TokenStrip::heightOf(const TokenLayout& layout) const { return layout.height + origin().y() + kMargin; }

void TokenStrip::paintLayerLabels(QPainter& painter) const {
  if (routing_->tokens.empty()) return;
  const auto& layers = routing_->tokens.front().layers;
  if (layers.empty()) return;
  const TokenLayout::Metrics size = metrics();
  painter.setFont(theme_.axisFont());
  painter.setPen(theme_.colours().muted);
  for (std::size_t i = 0; i < layout_.chips.size(); ++i) {
    if (layout_.chips[i].left() != 0) continue;
    const QRect strip = layout_.strip(i, size);
    const int row = strip.height() / static_cast<int>(layers.size());
    for (std::size_t l = 0; l < layers.size(); ++l)
      painter.drawText(QRect(-labelWidth(), strip.top() + static_cast<int>(l) * row + 1, labelWidth() - 4, row - 1),
                       Qt::AlignRight | Qt::AlignVCenter, layerShort(layers[l].layer));
  }
}

void TokenStrip::arrange() {
  layout_ = layoutFor(width());
  setMinimumHeight(heightOf(layout_));
  updateGeometry();
  update();
}

void TokenStrip::setRouting(std::shared_ptr<const TextRouting> routing) {
  routing_ = std::move(routing);
  if (!routing_ || chosen_ >= static_cast<int>(routing_->tokens.size())) chosen_ = -1;
  arrange();
}

void TokenStrip::setCaution(const QString& words) {
  if (words == caution_) return;
  caution_ = words;
  arrange();
}

void TokenStrip::setLayer(int index) {
  layer_ = index;
  update();
}

void TokenStrip::setChosen(int token) {
  chosen_ = token;
  update();
}

int TokenStrip::expertOf(int token) const {
  if (!routing_ || token < 0 || token >= static_cast<int>(routing_->tokens.size())) return -1;
  const auto& layers = routing_->tokens[static_cast<std::size_t>(token)].layers;
  return layer_ < static_cast<int>(layers.size()) ? cellOf(layers[static_cast<std::size_t>(layer_)]).expert : -1;
}

int TokenStrip::heightForWidth(int width) const { return heightOf(layoutFor(width)); }
QSize TokenStrip::sizeHint() const { return {480, std::max(60, heightOf(layout_))}; }
QString TokenStrip::figureTitle() const { return tr("Routing of a text"); }

void TokenStrip::paintToken(QPainter& painter, std::size_t index) const {
  const TokenRouting& token = routing_->tokens[index];
  const TokenLayout::Metrics size = metrics();
  const QRect chip = layout_.chips[index];
  const Colours& colours = theme_.colours();
  const Cell cell =
      layer_ < static_cast<int>(token.layers.size()) ? cellOf(token.layers[static_cast<std::size_t>(layer_)]) : Cell{};
  fillCell(painter, chip, cell, colours.raised);

  const QColor ink = cell.expert < 0 ? colours.text : textOn(expertColour(cell.expert, cell.experts));
  const int numberHeight = QFontMetrics(theme_.axisFont()).height();
  painter.setPen(ink);
  painter.setFont(theme_.font());
  painter.drawText(chip.adjusted(0, 1, 0, -numberHeight), Qt::AlignCenter, chipText(token.text));
  painter.setFont(theme_.axisFont());
  painter.drawText(QRect(chip.left(), chip.bottom() - numberHeight, chip.width(), numberHeight), Qt::AlignCenter,
                   cell.expert < 0 ? QString::fromUtf8("–") : QString("E%1").arg(cell.expert));

  const QRect strip = layout_.strip(index, size);
  const int row = token.layers.empty() ? 0 : strip.height() / static_cast<int>(token.layers.size());
  for (std::size_t l = 0; l < token.layers.size(); ++l) {
    const Cell below = cellOf(token.layers[l]);
    const QRect place(strip.left(), strip.top() + static_cast<int>(l) * row + 1, strip.width(), row - 1);
    fillCell(painter, place, below, colours.raised);
    painter.setPen(below.expert < 0 ? colours.text : textOn(expertColour(below.expert, below.experts)));
    painter.drawText(place, Qt::AlignCenter, below.expert < 0 ? QString::fromUtf8("–") : QString::number(below.expert));
  }
  const QRect whole = chip.united(strip);
  if (token.generated) {
    painter.setPen(QPen(colours.accent, 2, Qt::DotLine));
    painter.drawLine(whole.left(), whole.bottom() + 3, whole.right(), whole.bottom() + 3);
  }
  if (static_cast<int>(index) == chosen_) {
    painter.setPen(QPen(colours.text, 2 * theme_.lineWidth()));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(whole.adjusted(-2, -2, 2, 2));
  }
}

void TokenStrip::paintFigure(QPaintDevice& device, QSize size, bool) {
  QPainter painter(&device);
  paintAll(painter, size);
}

void TokenStrip::paintAll(QPainter& painter, QSize size) const {
  painter.setLayoutDirection(Qt::LeftToRight);  // places are those of the data: nothing is mirrored
  painter.fillRect(QRect({0, 0}, size), theme_.colours().base);
  paintCaution(painter, theme_, QRect(kMargin, 2, size.width() - 2 * kMargin, cautionHeight(theme_, caution_)),
               caution_);
  if (!routing_) return;
  painter.save();
  painter.translate(origin());
  paintLayerLabels(painter);
  for (std::size_t i = 0; i < routing_->tokens.size(); ++i) paintToken(painter, i);
  painter.restore();
}

void TokenStrip::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  paintAll(painter, size());
}

void TokenStrip::resizeEvent(QResizeEvent*) { arrange(); }

void TokenStrip::choose(int token) {
  if (!routing_ || token < 0 || token >= static_cast<int>(routing_->tokens.size())) return;
  setChosen(token);
  Q_EMIT tokenChosen(token);
}

void TokenStrip::mousePressEvent(QMouseEvent* event) { choose(layout_.at(event->pos() - origin(), metrics())); }

void TokenStrip::keyPressEvent(QKeyEvent* event) {
  if (!routing_ || routing_->tokens.empty()) return QWidget::keyPressEvent(event);
  const int last = static_cast<int>(routing_->tokens.size()) - 1;
  if (event->matches(QKeySequence::Copy)) return copyFigure(*this);
  switch (event->key()) {
    case Qt::Key_Left: return choose(std::max(0, chosen_ - 1));
    case Qt::Key_Right: return choose(std::min(last, chosen_ + 1));
    case Qt::Key_Home: return choose(0);
    case Qt::Key_End: return choose(last);
    case Qt::Key_Up: return choose(layout_.vertically(std::max(0, chosen_), -1));
    case Qt::Key_Down: return choose(layout_.vertically(std::max(0, chosen_), 1));
    case Qt::Key_Return:
    case Qt::Key_Enter:
      if (chosen_ >= 0) Q_EMIT explainWanted();
      return;
    default: QWidget::keyPressEvent(event);
  }
}

void TokenStrip::contextMenuEvent(QContextMenuEvent* event) {
  QMenu menu(this);
  addFigureActions(menu, *this, this);
  menu.exec(event->globalPos());
}

bool TokenStrip::event(QEvent* event) {
  if (event->type() != QEvent::ToolTip) return QWidget::event(event);
  auto* help = static_cast<QHelpEvent*>(event);
  const int token = layout_.at(help->pos() - origin(), metrics());
  if (token < 0) {
    QToolTip::hideText();
    return true;
  }
  QStringList lines;
  for (const TokenLayerRouting& layer : routing_->tokens[static_cast<std::size_t>(token)].layers) {
    QStringList experts;
    for (const int expert : layer.experts) experts << QString("E%1").arg(expert);
    lines << tr("%1: %2").arg(layerWords(layer.layer), experts.join(", "));
  }
  QToolTip::showText(help->globalPos(), lines.join('\n'), this);
  return true;
}

}  // namespace moe::ui
