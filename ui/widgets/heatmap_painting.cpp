// What HeatmapCanvas paints, from the cells outwards.
#include <QPainter>
#include <QPainterPath>
#include <algorithm>
#include <cmath>

#include "ui/theme/theme.h"
#include "ui/widgets/format.h"
#include "ui/widgets/heatmap_canvas.h"
#include "ui/widgets/time_axis.h"

namespace moe::ui {

void HeatmapCanvas::paintAll(QPainter& painter, QSize size) {
  painter.setLayoutDirection(Qt::LeftToRight);  // places are those of the data: nothing is mirrored
  if (!columns_ || columns_->empty() || columns_->layers().empty()) return;
  const HeatmapGeometry g = geometryFor(size);
  images_.resize(columns_->layers().size());
  if (revision_ != columns_->revision())
    for (LoadImage& image : images_) image.clear();
  revision_ = columns_->revision();
  paintCells(painter, g);
  paintLabels(painter, g);
  painter.save();
  painter.setClipRect(g.cells.adjusted(-1, -margins().top, margins().right, 1));
  paintMarks(painter, g);
  paintSpans(painter, g);
  paintSelection(painter, g);
  painter.restore();
  paintAxis(painter, g);
}

void HeatmapCanvas::paintCells(QPainter& painter, const HeatmapGeometry& g) {
  const double first = time_.first(), last = time_.last();
  const std::vector<std::int64_t>& steps = columns_->steps();
  const std::size_t from = columns_->indexFrom(static_cast<std::int64_t>(std::floor(first)));
  const std::size_t to = columns_->indexFrom(static_cast<std::int64_t>(std::floor(last)) + 1);
  if (from >= to) return;
  painter.save();
  painter.setClipRect(g.cells);
  for (std::size_t l = 0; l < images_.size(); ++l) {
    const Pyramid& load = columns_->layers()[l].load;
    LoadImage& image = images_[l];
    image.update(load, from, to, static_cast<std::size_t>(g.cells.width()), most_, colours_);
    const QRect rows = g.group(static_cast<int>(l));
    if (rows.isEmpty()) continue;
    const std::size_t width = std::size_t{1} << image.level();
    const std::size_t begin = image.firstBucket() * width,
                      end = std::min(columns_->size(), (image.firstBucket() + image.columns()) * width);
    // A cell reaches half a step to both sides. Where steps are missing, each column stands alone.
    const auto left = [&](std::size_t i) { return g.xOf(static_cast<double>(steps[i]) - 0.5, first, last); };
    const auto right = [&](std::size_t i) { return g.xOf(static_cast<double>(steps[i]) + 0.5, first, last); };
    const bool whole = steps[end - 1] - steps[begin] == static_cast<std::int64_t>(end - 1 - begin);
    const std::size_t stride = whole ? image.columns() : 1;
    for (std::size_t c = 0; c < image.columns(); c += stride) {
      const std::size_t a = begin + c * width, b = std::min(end, begin + (c + stride) * width);
      // The last bucket may be partly filled: its columns of the picture are as wide as a full one's.
      const double x0 = left(a), perStep = (right(b - 1) - x0) / static_cast<double>(b - a);
      const QRectF target(x0, rows.top(), perStep * static_cast<double>(stride * width), rows.height());
      painter.save();
      painter.setClipRect(QRectF(x0, rows.top(), right(b - 1) - x0, rows.height()), Qt::IntersectClip);
      painter.drawImage(target, image.image(),
                        QRectF(static_cast<double>(c), 0, static_cast<double>(stride), image.image().height()));
      painter.restore();
    }
  }
  painter.restore();
  painter.setPen(QPen(theme_.colours().border, 1));
  painter.setBrush(Qt::NoBrush);
  for (std::size_t l = 0; l < images_.size(); ++l)
    painter.drawRect(g.group(static_cast<int>(l)).adjusted(-1, -1, 0, 0));
}

void HeatmapCanvas::paintLabels(QPainter& painter, const HeatmapGeometry& g) const {
  const QFont font = theme_.axisFont();
  const QFontMetrics metrics(font);
  painter.setFont(font);
  const int every = g.labelEvery(metrics.ascent());
  for (std::size_t l = 0; l < g.groups.size(); ++l) {
    const QRect group = g.group(static_cast<int>(l));
    painter.setPen(theme_.colours().text);
    painter.drawText(
        QRect(6, group.center().y() - metrics.height() / 2, group.left() - metrics.horizontalAdvance("00") - 12,
              metrics.height()),
        Qt::AlignLeft | Qt::AlignVCenter,
        theme_.presenter() ? layerShort(columns_->layers()[l].layer) : layerWords(columns_->layers()[l].layer));
    painter.setPen(theme_.colours().muted);
    for (int e = 0; e < g.groups[l].experts; e += every) {
      const QRect row = g.row({static_cast<int>(l), e});
      painter.drawText(QRect(0, row.center().y() - metrics.height() / 2, row.left() - 4, metrics.height()),
                       Qt::AlignRight | Qt::AlignVCenter, QString::number(e));
    }
  }
}

void HeatmapCanvas::paintSpans(QPainter& painter, const HeatmapGeometry& g) const {
  const QFont font = theme_.axisFont();
  const QFontMetrics metrics(font);
  painter.setFont(font);
  // Words beside rows do not touch: those of a crowd are written as one.
  struct Words {
    int y;
    QStringList experts;
  };
  std::vector<Words> words;
  std::vector<const ExpertSpan*> order;
  for (const ExpertSpan& span : spans_) order.push_back(&span);
  std::stable_sort(order.begin(), order.end(), [](const ExpertSpan* a, const ExpertSpan* b) {
    return std::pair(a->layer, a->expert) < std::pair(b->layer, b->expert);
  });
  for (const ExpertSpan* span : order) {
    const auto group = groupOf(span->layer);
    if (!group || span->expert < 0 || span->expert >= g.groups[static_cast<std::size_t>(*group)].experts) continue;
    const QRect row = g.row({*group, span->expert});
    const std::int64_t until = span->standing ? columns_->lastStep() : span->to;
    const double x0 = g.xOf(static_cast<double>(span->from) - 0.5, time_.first(), time_.last());
    const double x1 = g.xOf(static_cast<double>(until) + 0.5, time_.first(), time_.last());
    const double thick = theme_.presenter() && g.rowHeight >= 9 ? 3 : g.rowHeight >= 6 ? 2 : 1;
    painter.setPen(QPen(theme_.colours().danger, thick, span->standing ? Qt::SolidLine : Qt::DotLine));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(QRectF(x0, row.top(), std::max(2.0, x1 - x0), row.height())
                         .adjusted(thick / 2, thick / 2, -thick / 2, -thick / 2));
    const int y = row.center().y() - metrics.height() / 2;
    if (!span->standing) continue;
    if (words.empty() || y >= words.back().y + metrics.height() - 2) words.push_back({y, {}});
    words.back().experts << QString::number(span->expert);
  }
  painter.setPen(theme_.colours().danger);
  for (const Words& one : words) {
    const bool few = one.experts.size() <= 2;
    painter.drawText(QRect(g.cells.right() + 6, one.y, margins().right, metrics.height()),
                     Qt::AlignLeft | Qt::AlignVCenter,
                     few ? tr("E%1 dead").arg(one.experts.join(',')) : tr("%1 dead").arg(one.experts.size()));
  }
}

void HeatmapCanvas::paintMarks(QPainter& painter, const HeatmapGeometry& g) const {
  const QFont font = theme_.axisFont();
  const QFontMetrics metrics(font);
  painter.setFont(font);
  const int right = g.cells.right() + margins().right;
  int free = right;  // labels stand above the cells, right of their tick; the newest goes first
  for (auto mark = marks_.rbegin(); mark != marks_.rend(); ++mark) {
    const int x = static_cast<int>(std::lround(g.xOf(static_cast<double>(mark->step), time_.first(), time_.last())));
    if (x < g.cells.left() || x > g.cells.right()) continue;
    painter.setPen(QPen(mark->colour, theme_.presenter() ? 2 : 1, Qt::DashLine));
    painter.drawLine(x, g.cells.top() - metrics.height(), x, g.cells.bottom());
    const int width = metrics.horizontalAdvance(mark->label);
    const int at = x + 3 + width <= free ? x + 3 : x - 3 - width;
    if (at < g.cells.left() || at + width > free) continue;
    painter.drawText(QRect(at, g.cells.top() - metrics.height() - 2, width + 1, metrics.height()),
                     Qt::AlignLeft | Qt::AlignVCenter, mark->label);
    free = std::min(at, x) - metrics.averageCharWidth();
  }
}

void HeatmapCanvas::paintSelection(QPainter& painter, const HeatmapGeometry& g) const {
  const Place& place = selection_.place();
  painter.setBrush(Qt::NoBrush);
  painter.setPen(QPen(theme_.colours().accent, theme_.presenter() ? 3 : 2));
  if (const auto group = groupOf(place.layer)) {
    if (place.expert >= 0 && place.expert < g.groups[static_cast<std::size_t>(*group)].experts)
      painter.drawRect(g.row({*group, place.expert}).adjusted(-1, -1, 0, 0));
    else if (place.expert < 0)
      painter.drawRect(g.group(*group).adjusted(-1, -1, 0, 0));
  }
  if (place.step >= 0) {
    const int x = static_cast<int>(std::lround(g.xOf(static_cast<double>(place.step), time_.first(), time_.last())));
    painter.setPen(QPen(theme_.colours().text, 1));
    painter.drawLine(x, g.cells.top(), x, g.cells.bottom());
  }
}

void HeatmapCanvas::paintAxis(QPainter& painter, const HeatmapGeometry& g) const {
  const QFont font = theme_.axisFont();
  const QFontMetrics metrics(font);
  painter.setFont(font);
  const int width = metrics.horizontalAdvance("00,000") + 12;
  const StepTicks ticks = stepTicks(time_.first(), time_.last(), std::clamp(g.cells.width() / width, 2, 12));
  for (int i = 0; i < ticks.count; ++i) {
    const double step = ticks.from + i * ticks.every;
    const int x = static_cast<int>(std::lround(g.xOf(step, time_.first(), time_.last())));
    painter.setPen(theme_.colours().border);
    painter.drawLine(x, g.cells.bottom() + 1, x, g.cells.bottom() + 4);
    painter.setPen(theme_.colours().muted);
    painter.drawText(QRect(x - width / 2, g.cells.bottom() + 5, width, metrics.height()),
                     Qt::AlignHCenter | Qt::AlignTop, grouped(std::llround(step)));
  }
  painter.setPen(theme_.colours().muted);
  painter.drawText(
      QRect(0, g.cells.bottom() + 5, g.cells.left() - metrics.horizontalAdvance("0") - 2, metrics.height()),
      Qt::AlignRight, tr("step"));
}

}  // namespace moe::ui
