#include "ui/widgets/token_details.h"

#include <QContextMenuEvent>
#include <QMenu>
#include <QPainter>
#include <algorithm>

#include "ui/theme/palettes.h"
#include "ui/theme/theme.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {
constexpr int kMargin = 8;
}

TokenDetails::TokenDetails(Theme& theme, QWidget* parent) : QWidget(parent), theme_(theme) {
  setAccessibleName(tr("The chosen token in every layer"));
  connect(&theme_, &Theme::changed, this, &TokenDetails::arrange);
}

void TokenDetails::setToken(const TokenRouting* token) {
  chosen_ = token != nullptr;
  token_ = token ? *token : TokenRouting{};
  setAccessibleDescription(summaries().join(' '));
  arrange();
}

int TokenDetails::layerHeight() const {
  const int text = QFontMetrics(theme_.font()).height(), small = QFontMetrics(theme_.axisFont()).height();
  return text + 3 * small + 3 * theme_.gap();
}

void TokenDetails::arrange() {
  setMinimumHeight(chosen_ ? 2 * kMargin + static_cast<int>(token_.layers.size()) * layerHeight() : 0);
  updateGeometry();
  update();
}

QString TokenDetails::summaryOf(const TokenLayerRouting& layer) const {
  QStringList experts;
  for (std::size_t i = 0; i < layer.experts.size(); ++i)
    experts << (i < layer.weights.size() ? tr("E%1 × %2").arg(layer.experts[i]).arg(number(layer.weights[i])) : tr("E%1").arg(layer.experts[i]));
  QString words = tr("%1: %2").arg(layerTitle(layer.layer), experts.isEmpty() ? tr("no expert") : experts.join(", "));
  if (layer.dropped) words += tr(" · dropped");
  if (static_cast<std::size_t>(layer.experts.size()) < layer.probabilities.size()) words += tr(" · margin %1").arg(number(layer.margin));
  return words;
}

QStringList TokenDetails::summaries() const {
  QStringList all;
  if (chosen_)
    for (const TokenLayerRouting& layer : token_.layers) all << summaryOf(layer);
  return all;
}

void TokenDetails::paintLayer(QPainter& painter, const TokenLayerRouting& layer, const QRect& rect) const {
  const Colours& colours = theme_.colours();
  const QFontMetrics words(theme_.font()), small(theme_.axisFont());
  painter.setFont(theme_.font());
  painter.setPen(colours.text);
  painter.drawText(QRect(rect.left(), rect.top(), rect.width(), words.height()), Qt::AlignLeft | Qt::AlignVCenter,
                   words.elidedText(summaryOf(layer), Qt::ElideRight, rect.width()));
  const auto experts = static_cast<int>(layer.probabilities.size());
  if (experts == 0) return;
  const QRect area(rect.left(), rect.top() + words.height() + theme_.gap() / 2, rect.width(), rect.height() - words.height() - 2 * theme_.gap());
  const int labels = small.height();
  const QRect bars = area.adjusted(0, 0, 0, -labels);
  painter.fillRect(bars, colours.raised);
  const double highest = std::max(1e-6f, *std::max_element(layer.probabilities.begin(), layer.probabilities.end()));
  const double full = std::max(1.0, highest);
  const double step = static_cast<double>(bars.width()) / experts;
  const int every = std::max(1, static_cast<int>((small.horizontalAdvance("888") + 4) / std::max(1.0, step)) + (step < small.horizontalAdvance("888") + 4 ? 1 : 0));
  painter.setFont(theme_.axisFont());
  for (int e = 0; e < experts; ++e) {
    const double p = std::clamp(static_cast<double>(layer.probabilities[static_cast<std::size_t>(e)]) / full, 0.0, 1.0);
    const bool isChosen = std::find(layer.experts.begin(), layer.experts.end(), e) != layer.experts.end();
    const int left = bars.left() + static_cast<int>(e * step), right = bars.left() + static_cast<int>((e + 1) * step) - 1;
    const int height = std::max(1, static_cast<int>(p * bars.height()));
    const QRect bar(left, bars.bottom() + 1 - height, std::max(1, right - left), height);
    painter.fillRect(bar, expertColour(e, experts));
    if (isChosen) {
      painter.setPen(QPen(colours.text, theme_.lineWidth()));
      painter.setBrush(Qt::NoBrush);
      painter.drawRect(QRect(left, bars.top(), std::max(1, right - left), bars.height() - 1));
    }
    if (isChosen || e % every == 0) {
      // A chosen expert's number is always there; the others' give way where there is no room.
      const QRect label(left - 20, bars.bottom() + 1, right - left + 40, labels);
      painter.setPen(isChosen ? colours.text : colours.muted);
      if (isChosen || step >= small.horizontalAdvance("88")) painter.drawText(label, Qt::AlignHCenter | Qt::AlignTop, QString::number(e));
    }
  }
  painter.setPen(colours.muted);
  painter.drawText(bars.adjusted(4, 1, -4, 0), Qt::AlignRight | Qt::AlignTop, tr("full bar: score %1").arg(number(full)));
}

void TokenDetails::paintFigure(QPaintDevice& device, QSize size, bool) {
  QPainter painter(&device);
  paintAll(painter, size);
}

void TokenDetails::paintAll(QPainter& painter, QSize size) const {
  painter.fillRect(QRect({0, 0}, size), theme_.colours().base);
  if (!chosen_) return;
  const int height = layerHeight();
  for (std::size_t l = 0; l < token_.layers.size(); ++l)
    paintLayer(painter, token_.layers[l], QRect(kMargin, kMargin + static_cast<int>(l) * height, size.width() - 2 * kMargin, height));
}

void TokenDetails::paintEvent(QPaintEvent*) {
  QPainter painter(this);
  paintAll(painter, size());
}

void TokenDetails::contextMenuEvent(QContextMenuEvent* event) {
  QMenu menu(this);
  addFigureActions(menu, *this, this);
  menu.exec(event->globalPos());
}

QString TokenDetails::figureTitle() const { return tr("Routing of one token"); }

}  // namespace moe::ui
