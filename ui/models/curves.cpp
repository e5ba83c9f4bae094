#include "ui/models/curves.h"

#include <algorithm>
#include <cmath>

namespace moe::ui {

void curveOf(std::vector<double>& x, std::vector<double>& y, const RunColumns& run, Metric metric, std::size_t layer,
             double first, double last, int columns) {
  if (run.empty() || (isPerLayer(metric) && layer >= run.layers().size())) return;
  const Pyramid& values = run.metric(metric, layer);
  // One point beyond each edge, so that lines run on to the border.
  std::size_t from = run.indexFrom(static_cast<std::int64_t>(std::floor(first)));
  from = from > 0 ? from - 1 : 0;
  const std::size_t to = std::min(values.size(), run.indexFrom(static_cast<std::int64_t>(std::ceil(last))) + 1);
  if (from >= to) return;
  const int level = values.levelFor(from, to, static_cast<std::size_t>(std::max(columns, 1)));
  const std::size_t width = std::size_t{1} << level;
  for (std::size_t bucket = from >> level; bucket <= (to - 1) >> level; ++bucket) {
    const float low = values.low(level, bucket)[0], high = values.high(level, bucket)[0];
    if (!std::isfinite(low) && !std::isfinite(high)) continue;
    const double left = static_cast<double>(run.steps()[bucket * width]);
    if (level == 0) {
      x.push_back(left);
      y.push_back(low);
      continue;
    }
    const double right = static_cast<double>(run.steps()[std::min(values.size(), (bucket + 1) * width) - 1]);
    if (low == high) {
      x.push_back(0.5 * (left + right));
      y.push_back(low);
      continue;
    }
    x.push_back(left + 0.25 * (right - left));
    y.push_back(low);
    x.push_back(left + 0.75 * (right - left));
    y.push_back(high);
  }
}

}  // namespace moe::ui
