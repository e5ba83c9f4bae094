#include "ui/widgets/heatmap_geometry.h"

#include <algorithm>
#include <numeric>

namespace moe::ui {

HeatmapGeometry HeatmapGeometry::of(const std::vector<int>& expertsPerGroup, QSize canvas, const Margins& margins) {
  HeatmapGeometry g;
  const int rows = std::accumulate(expertsPerGroup.begin(), expertsPerGroup.end(), 0);
  const int gaps = margins.gap * std::max(0, static_cast<int>(expertsPerGroup.size()) - 1);
  const int around = margins.top + margins.bottom + gaps;
  g.neededHeight = around + rows * margins.leastRow;
  g.rowHeight = rows == 0 ? 0 : std::max(margins.leastRow, (canvas.height() - around) / rows);
  int y = margins.top;
  for (const int experts : expertsPerGroup) {
    g.groups.push_back({experts, y});
    y += experts * g.rowHeight + margins.gap;
  }
  const int bottom = rows == 0 ? margins.top : y - margins.gap;
  g.cells = QRect(margins.left, margins.top, std::max(1, canvas.width() - margins.left - margins.right),
                  bottom - margins.top);
  return g;
}

QRect HeatmapGeometry::row(const Cell& cell) const {
  return QRect(cells.left(), groups[static_cast<std::size_t>(cell.group)].top + cell.expert * rowHeight, cells.width(),
               rowHeight);
}

QRect HeatmapGeometry::group(int index) const {
  const Group& group = groups[static_cast<std::size_t>(index)];
  return QRect(cells.left(), group.top, cells.width(), group.experts * rowHeight);
}

std::optional<HeatmapGeometry::Cell> HeatmapGeometry::at(int y) const {
  if (rowHeight == 0) return std::nullopt;
  for (std::size_t g = 0; g < groups.size(); ++g) {
    const int below = y - groups[g].top;
    if (below >= 0 && below < groups[g].experts * rowHeight) return Cell{static_cast<int>(g), below / rowHeight};
  }
  return std::nullopt;
}

HeatmapGeometry::Cell HeatmapGeometry::next(const Cell& cell, int rows) const {
  Cell to = cell;
  for (; rows > 0; --rows) {
    if (to.expert + 1 < groups[static_cast<std::size_t>(to.group)].experts)
      ++to.expert;
    else if (to.group + 1 < static_cast<int>(groups.size()))
      to = {to.group + 1, 0};
  }
  for (; rows < 0; ++rows) {
    if (to.expert > 0)
      --to.expert;
    else if (to.group > 0)
      to = {to.group - 1, groups[static_cast<std::size_t>(to.group) - 1].experts - 1};
  }
  return to;
}

int HeatmapGeometry::labelEvery(int textHeight) const {
  int every = 1;
  while (rowHeight > 0 && every * rowHeight < textHeight) every *= 2;
  return every;
}

double HeatmapGeometry::xOf(double step, double first, double last) const {
  return cells.left() + (step - first) / (last - first) * cells.width();
}

double HeatmapGeometry::stepAt(double x, double first, double last) const {
  return first + (x - cells.left()) / cells.width() * (last - first);
}

}  // namespace moe::ui
