#include "ui/models/pyramid.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace moe::ui {

void Pyramid::append(std::span<const float> row) {
  assert(row.size() == width_);
  const std::size_t index = size();
  rows_.insert(rows_.end(), row.begin(), row.end());
  for (std::size_t l = 1; l <= levels_.size(); ++l) {
    Level& level = levels_[l - 1];
    const std::size_t at = (index >> l) * width_;
    if (level.low.size() <= at) {
      level.low.insert(level.low.end(), row.begin(), row.end());
      level.high.insert(level.high.end(), row.begin(), row.end());
      continue;
    }
    for (std::size_t c = 0; c < width_; ++c) {
      level.low[at + c] = std::fmin(level.low[at + c], row[c]);
      level.high[at + c] = std::fmax(level.high[at + c], row[c]);
    }
  }
  // A new level begins once it has a bucket of two below it, and takes in what is there.
  while ((std::size_t{1} << levels_.size()) < size()) {
    const int below = static_cast<int>(levels_.size());
    Level level;
    for (std::size_t b = 0; b < buckets(below); b += 2) {
      for (std::size_t c = 0; c < width_; ++c) {
        float lowest = low(below, b)[c], highest = high(below, b)[c];
        if (b + 1 < buckets(below))
          lowest = std::fmin(lowest, low(below, b + 1)[c]), highest = std::fmax(highest, high(below, b + 1)[c]);
        level.low.push_back(lowest);
        level.high.push_back(highest);
      }
    }
    levels_.push_back(std::move(level));
  }
}

void Pyramid::truncate(std::size_t size) {
  if (size >= this->size()) return;
  // Rare (a resume, a replay), so simply built again.
  std::vector<float> kept(rows_.begin(), rows_.begin() + static_cast<std::ptrdiff_t>(size * width_));
  rows_.clear();
  levels_.clear();
  for (std::size_t i = 0; i < size; ++i) append(std::span<const float>(kept).subspan(i * width_, width_));
}

int Pyramid::levelFor(std::size_t first, std::size_t last, std::size_t columns) const {
  int level = 0;
  const auto count = [&](int l) { return ((last + (std::size_t{1} << l) - 1) >> l) - (first >> l); };
  while (level < static_cast<int>(levels_.size()) && count(level) > columns) ++level;
  return level;
}

std::span<const float> Pyramid::low(int level, std::size_t bucket) const {
  const std::vector<float>& values = level == 0 ? rows_ : levels_[static_cast<std::size_t>(level) - 1].low;
  return std::span<const float>(values).subspan(bucket * width_, width_);
}

std::span<const float> Pyramid::high(int level, std::size_t bucket) const {
  const std::vector<float>& values = level == 0 ? rows_ : levels_[static_cast<std::size_t>(level) - 1].high;
  return std::span<const float>(values).subspan(bucket * width_, width_);
}

}  // namespace moe::ui
