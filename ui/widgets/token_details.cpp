#include "ui/widgets/token_details.h"

#include <QContextMenuEvent>
#include <QKeyEvent>
#include <QMenu>
#include <QPainter>
#include <algorithm>

#include "ui/theme/palettes.h"
#include "ui/theme/theme.h"
#include "ui/widgets/caution_line.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {
constexpr int kMargin = 8;
}

TokenDetails::TokenDetails(Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  setAccessibleName(tr("The chosen token in every layer"));
  setFocusPolicy(Qt::StrongFocus);
  setMouseTracking(true);
  setWhatsThis(
      tr("Press a number: how it is computed. With the keyboard: up and down choose a layer, Enter explains its "
         "numbers."));
  QSizePolicy policy(QSizePolicy::Expanding, QSizePolicy::Minimum);
  policy.setHeightForWidth(true);
  setSizePolicy(policy);
  connect(&theme_, &Theme::changed, this, &TokenDetails::arrange);
}

void TokenDetails::setToken(const TokenRouting* token, std::int64_t step, std::vector<RouterFacts> routers) {
  chosen_ = token != nullptr;
  token_ = token ? *token : TokenRouting{};
  step_ = step;
  routers_ = std::move(routers);
  layer_ = std::clamp(layer_, 0, std::max(0, static_cast<int>(token_.layers.size()) - 1));
  setAccessibleDescription(summaries().join(' '));
  arrange();
}

void TokenDetails::setCaution(const QString& words) {
  if (words == caution_) return;
  caution_ = words;
  arrange();
}

std::vector<TokenExplanation> TokenDetails::explanations(std::size_t layer) const {
  if (!chosen_ || layer >= token_.layers.size()) return {};
  RunFacts facts;
  facts.routers = routers_;
  return explainToken(token_.layers[layer], step_, routerOf(facts, token_.layers[layer].layer));
}

/// The largest score of the token in any layer, rounded up: one scale, on which small shares can still be seen.
double TokenDetails::fullBar() const {
  double highest = 0;
  for (const TokenLayerRouting& layer : token_.layers)
    for (const float score : layer.probabilities) highest = std::max(highest, static_cast<double>(score));
  for (const double full : {0.05, 0.1, 0.2, 0.5, 1.0})
    if (highest <= full) return full;
  return highest;
}

std::vector<TokenDetails::Word> TokenDetails::wordsOf(std::size_t index) const {
  const TokenLayerRouting& layer = token_.layers[index];
  std::vector<Word> words{
      {layer.experts.empty() ? tr("%1: no expert").arg(layerTitle(layer.layer)) : layerTitle(layer.layer) + ':'}};
  const std::vector<TokenExplanation> all = explanations(index);
  for (std::size_t i = 0; i < layer.experts.size(); ++i) {
    const QString word = i < layer.weights.size()
                             ? tr("E%1 × %2").arg(layer.experts[i]).arg(number(static_cast<double>(layer.weights[i])))
                             : tr("E%1").arg(layer.experts[i]);
    words.push_back({i + 1 < layer.experts.size() ? word + ',' : word, static_cast<int>(i)});
  }
  if (layer.dropped) words.push_back({tr("dropped")});
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].quantity == TokenQuantity::margin)
      words.push_back({tr("margin %1").arg(number(static_cast<double>(layer.margin))), static_cast<int>(i), true});
    if (all[i].quantity == TokenQuantity::entropy)
      words.push_back({tr("entropy %1 nats").arg(twoDecimals(*tokenEntropy(layer))), static_cast<int>(i), true});
  }
  if (!layer.probabilities.empty()) words.push_back({tr("full bar: score %1").arg(number(fullBar())), -1, true});
  return words;
}

std::vector<TokenDetails::Block> TokenDetails::blocksFor(int width) const {
  std::vector<Block> blocks;
  if (!chosen_) return blocks;
  const QFontMetrics large(theme_.font()), small(theme_.axisFont());
  int y = kMargin + cautionHeight(theme_, caution_);
  for (std::size_t l = 0; l < token_.layers.size(); ++l) {
    Block block{wordsOf(l), {}};
    int x = kMargin;
    bool wasSmall = false;
    for (Word& word : block.words) {
      const QFontMetrics& metrics = word.small ? small : large;
      const int wide = metrics.horizontalAdvance(word.text);
      // The numbers of the layer as a whole stand below those of its experts.
      if (x > kMargin && (x + wide > width - kMargin || (word.small && !wasSmall))) {
        x = kMargin;
        y += (wasSmall ? small : large).height();
      }
      word.place = QRect(x, y, wide, metrics.height());
      x += wide + (word.small ? 2 : 1) * large.horizontalAdvance(' ') + 2;
      wasSmall = word.small;
    }
    y += (wasSmall ? small : large).height() + theme_.gap() / 2;
    if (!token_.layers[l].probabilities.empty()) {
      block.bars = QRect(kMargin, y, std::max(1, width - 2 * kMargin), 3 * small.height());
      y += block.bars.height() + small.height();
    }
    block.bottom = y;
    y += 3 * theme_.gap() / 2;
    blocks.push_back(std::move(block));
  }
  return blocks;
}

int TokenDetails::heightForWidth(int width) const {
  const std::vector<Block> blocks = blocksFor(width);
  return blocks.empty() ? 0 : blocks.back().bottom + kMargin;
}

QSize TokenDetails::sizeHint() const { return {320, blocks_.empty() ? 0 : blocks_.back().bottom + kMargin}; }

void TokenDetails::arrange() {
  blocks_ = blocksFor(width());
  setMinimumHeight(blocks_.empty() ? 0 : blocks_.back().bottom + kMargin);
  updateGeometry();
  update();
}

void TokenDetails::resizeEvent(QResizeEvent*) { arrange(); }

QStringList TokenDetails::summaries() const {
  QStringList all;
  for (std::size_t l = 0; chosen_ && l < token_.layers.size(); ++l) {
    QStringList words;
    for (const Word& word : wordsOf(l)) words << word.text;
    all << words.join(' ');
  }
  return all;
}

void TokenDetails::paintBars(QPainter& painter, const TokenLayerRouting& layer, const QRect& bars) const {
  const Colours& colours = theme_.colours();
  const QFontMetrics small(theme_.axisFont());
  const auto experts = static_cast<int>(layer.probabilities.size());
  const int labels = small.height();
  painter.fillRect(bars, colours.raised);
  const double full = fullBar();
  const double step = static_cast<double>(bars.width()) / experts;
  const int every = std::max(1, static_cast<int>((small.horizontalAdvance("888") + 4) / std::max(1.0, step)) +
                                    (step < small.horizontalAdvance("888") + 4 ? 1 : 0));
  painter.setFont(theme_.axisFont());
  for (int e = 0; e < experts; ++e) {
    const double p = std::clamp(static_cast<double>(layer.probabilities[static_cast<std::size_t>(e)]) / full, 0.0, 1.0);
    const bool isChosen = std::find(layer.experts.begin(), layer.experts.end(), e) != layer.experts.end();
    const int left = bars.left() + static_cast<int>(e * step),
              right = bars.left() + static_cast<int>((e + 1) * step) - 1;
    const int height = std::max(1, static_cast<int>(p * bars.height()));
    painter.fillRect(QRect(left, bars.bottom() + 1 - height, std::max(1, right - left), height),
                     expertColour(e, experts));
    if (isChosen) {
      painter.setPen(QPen(colours.text, theme_.lineWidth()));
      painter.setBrush(Qt::NoBrush);
      painter.drawRect(QRect(left, bars.top(), std::max(1, right - left), bars.height() - 1));
    }
    if (isChosen || e % every == 0) {
      // A chosen expert's number is always there; the others' give way where there is no room.
      const QRect label(left - 20, bars.bottom() + 1, right - left + 40, labels);
      painter.setPen(isChosen ? colours.text : colours.muted);
      if (isChosen || step >= small.horizontalAdvance("88"))
        painter.drawText(label, Qt::AlignHCenter | Qt::AlignTop, QString::number(e));
    }
  }
}

void TokenDetails::paintFigure(QPaintDevice& device, QSize size, bool) {
  QPainter painter(&device);
  paintAll(painter, size);
}

void TokenDetails::paintAll(QPainter& painter, QSize size) const {
  painter.setLayoutDirection(Qt::LeftToRight);  // places are those of the data: nothing is mirrored
  const Colours& colours = theme_.colours();
  painter.fillRect(QRect({0, 0}, size), colours.base);
  const int caution = cautionHeight(theme_, caution_);
  paintCaution(painter, theme_, QRect(kMargin, 2, size.width() - 2 * kMargin, caution), caution_);
  const std::vector<Block> blocks = blocksFor(size.width());
  for (std::size_t l = 0; l < blocks.size(); ++l) {
    for (const Word& word : blocks[l].words) {
      painter.setFont(word.small ? theme_.axisFont() : theme_.font());
      painter.setPen(word.small ? colours.muted : colours.text);
      painter.drawText(word.place, Qt::AlignLeft | Qt::AlignVCenter | Qt::TextDontClip, word.text);
    }
    if (!blocks[l].bars.isEmpty()) paintBars(painter, token_.layers[l], blocks[l].bars);
  }
}

void TokenDetails::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  paintAll(painter, size());
  if (!hasFocus() || blocks_.empty()) return;
  const auto layer = static_cast<std::size_t>(layer_);
  const int top = blocks_[layer].words.front().place.top();
  painter.setPen(theme_.colours().accent);
  painter.setBrush(Qt::NoBrush);
  painter.drawRect(QRect(kMargin - 5, top - 2, width() - 2 * kMargin + 9, blocks_[layer].bottom - top + 4));
}

std::pair<int, int> TokenDetails::entryAt(const QPoint& point) const {
  for (std::size_t l = 0; l < blocks_.size(); ++l) {
    const Block& block = blocks_[l];
    if (point.y() > block.bottom) continue;
    for (const Word& word : block.words)
      if (word.entry >= 0 && word.place.adjusted(-2, 0, 2, 0).contains(point)) return {static_cast<int>(l), word.entry};
    const auto experts = static_cast<int>(token_.layers[l].probabilities.size());
    if (experts > 0 && point.y() >= block.bars.top() && point.x() >= block.bars.left() &&
        point.x() <= block.bars.right()) {
      const int expert =
          std::min(experts - 1, (point.x() - block.bars.left()) * experts / std::max(1, block.bars.width()));
      const std::vector<TokenExplanation> all = explanations(l);
      for (std::size_t i = 0; i < all.size(); ++i)
        if (all[i].quantity == TokenQuantity::score && all[i].expert == expert)
          return {static_cast<int>(l), static_cast<int>(i)};
    }
    return {static_cast<int>(l), -1};
  }
  return {-1, -1};
}

void TokenDetails::explain(int layer, int entry) {
  std::vector<Explanation> texts;
  for (TokenExplanation& one : explanations(static_cast<std::size_t>(layer))) texts.push_back(std::move(one.text));
  ExplainPopover::open(theme_, this, mapToGlobal(QPoint(kMargin, blocks_[static_cast<std::size_t>(layer)].bottom + 2)),
                       std::move(texts), entry);
}

void TokenDetails::mouseMoveEvent(QMouseEvent* event) {
  setCursor(entryAt(event->pos()).second >= 0 ? Qt::PointingHandCursor : Qt::ArrowCursor);
}

void TokenDetails::mouseReleaseEvent(QMouseEvent* event) {
  const auto [layer, entry] = entryAt(event->pos());
  if (event->button() != Qt::LeftButton || layer < 0) return;
  layer_ = layer;
  update();
  if (entry >= 0) explain(layer, entry);
}

void TokenDetails::keyPressEvent(QKeyEvent* event) {
  if (event->matches(QKeySequence::Copy)) return copyFigure(*this);
  const int last = static_cast<int>(token_.layers.size()) - 1;
  switch (event->key()) {
    case Qt::Key_Up: layer_ = std::max(0, layer_ - 1); return update();
    case Qt::Key_Down: layer_ = std::clamp(layer_ + 1, 0, std::max(0, last)); return update();
    case Qt::Key_Return:
    case Qt::Key_Enter:
      if (!blocks_.empty()) explain(layer_, 0);
      return;
    default: QWidget::keyPressEvent(event);
  }
}

void TokenDetails::contextMenuEvent(QContextMenuEvent* event) {
  QMenu menu(this);
  addFigureActions(menu, *this, this);
  menu.exec(event->globalPos());
}

QString TokenDetails::figureTitle() const { return tr("Routing of one token"); }

}  // namespace moe::ui
