#pragma once
#include <QImage>
#include <vector>

#include "ui/models/pyramid.h"

namespace moe::ui {

/// The cells of one layer as pixels: a column for each bucket of steps, two rows for each expert, the highest load of the
/// bucket above the lowest, so that a one-step spike stays visible however many steps share a column. Appending steps
/// recolours only the columns they touch.
class LoadImage {
 public:
  /// Colours of loads 0..most, in equal stretches of the scale's position.
  static std::vector<QRgb> colours(double most, bool dark);

  /// Brings the picture up to date with rows [first, last) in at most `columns` columns. Returns the columns coloured.
  std::size_t update(const Pyramid& load, std::size_t first, std::size_t last, std::size_t columns, double most,
                     const std::vector<QRgb>& colours);
  /// Forgets what was painted: the colours changed, or the data did other than grow.
  void clear() { columns_ = 0; }

  const QImage& image() const { return image_; }
  int level() const { return level_; }
  std::size_t firstBucket() const { return firstBucket_; }
  std::size_t columns() const { return columns_; }

 private:
  QImage image_;
  int level_ = 0;
  std::size_t firstBucket_ = 0, columns_ = 0, rowsSeen_ = 0;
};

}  // namespace moe::ui
