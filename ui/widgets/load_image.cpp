#include "ui/widgets/load_image.h"

#include <algorithm>
#include <cmath>

#include "ui/theme/palettes.h"

namespace moe::ui {

namespace {
constexpr int kColours = 512;
}

std::vector<QRgb> LoadImage::colours(double most, bool dark) {
  std::vector<QRgb> table(kColours + 1);
  for (int i = 0; i <= kColours; ++i) {
    const double position = static_cast<double>(i) / kColours;
    // The load that stands at this position: loadPosition turned round.
    const double load = position <= 0.5 ? 2 * position : std::pow(std::max(most, 1.001), 2 * position - 1);
    table[static_cast<std::size_t>(i)] = loadColour(load, most, dark);
  }
  return table;
}

std::size_t LoadImage::update(const Pyramid& load, std::size_t first, std::size_t last, std::size_t columns,
                              double most, const std::vector<QRgb>& colours) {
  const int level = load.levelFor(first, last, columns);
  const std::size_t firstBucket = first >> level, end = last == first ? firstBucket : ((last - 1) >> level) + 1;
  const std::size_t wanted = end - firstBucket;
  const int height = 2 * load.width();
  std::size_t from = firstBucket;
  if (columns_ > 0 && level == level_ && firstBucket == firstBucket_ && load.size() >= rowsSeen_ &&
      image_.height() == height && wanted <= static_cast<std::size_t>(image_.width())) {
    // All but the last bucket painted were full.
    from = std::min(firstBucket_ + columns_, std::max(firstBucket, rowsSeen_ >> level));
  } else if (image_.height() != height || static_cast<std::size_t>(image_.width()) < wanted) {
    image_ = QImage(static_cast<int>(std::max(wanted, columns) + 1), height, QImage::Format_ARGB32);
  }
  const auto colour = [&](float value) {
    if (!std::isfinite(value)) return qRgba(0, 0, 0, 0);  // no such expert then: the ground shows
    return colours[static_cast<std::size_t>(loadPosition(value, most) * kColours + 0.5)];
  };
  for (std::size_t bucket = from; bucket < end; ++bucket) {
    const auto low = load.low(level, bucket), high = load.high(level, bucket);
    const int x = static_cast<int>(bucket - firstBucket);
    for (int e = 0; e < load.width(); ++e) {
      reinterpret_cast<QRgb*>(image_.scanLine(2 * e))[x] = colour(high[static_cast<std::size_t>(e)]);
      reinterpret_cast<QRgb*>(image_.scanLine(2 * e + 1))[x] = colour(low[static_cast<std::size_t>(e)]);
    }
  }
  level_ = level;
  firstBucket_ = firstBucket;
  columns_ = wanted;
  rowsSeen_ = load.size();
  return end - from;
}

}  // namespace moe::ui
