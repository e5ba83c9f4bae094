#pragma once
#include <cstddef>
#include <span>
#include <vector>

namespace moe::ui {

/// Rows of `width` numbers over time with the lowest and highest of every 2, 4, 8 ... rows above them, so that any stretch
/// is drawn in a few hundred columns without losing a one-step spike. NaN: no value, ignored by low and high.
class Pyramid {
 public:
  Pyramid() : Pyramid(1) {}
  explicit Pyramid(int width) : width_(static_cast<std::size_t>(width)) {}

  int width() const { return static_cast<int>(width_); }
  std::size_t size() const { return rows_.size() / width_; }
  void append(std::span<const float> row);  // (width)
  void append(float value) { append(std::span<const float>(&value, 1)); }
  /// Keeps the first `size` rows.
  void truncate(std::size_t size);

  /// The finest level at which rows [first, last) take at most `columns` buckets; a bucket of level l is 2^l rows,
  /// aligned to multiples of 2^l, so that appending changes only the last one.
  int levelFor(std::size_t first, std::size_t last, std::size_t columns) const;
  /// Buckets of a level: the last may be partly filled.
  std::size_t buckets(int level) const { return (size() + (std::size_t{1} << level) - 1) >> level; }
  std::span<const float> low(int level, std::size_t bucket) const;   // (width)
  std::span<const float> high(int level, std::size_t bucket) const;  // (width)
  std::span<const float> row(std::size_t i) const { return low(0, i); }

 private:
  struct Level {
    std::vector<float> low, high;  // (buckets, width)
  };
  std::size_t width_;
  std::vector<float> rows_;    // (size, width)
  std::vector<Level> levels_;  // levels_[l - 1] is level l
};

}  // namespace moe::ui
