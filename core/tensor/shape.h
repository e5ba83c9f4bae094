#pragma once
#include <array>
#include <cassert>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace moe {

/// Extents of a tensor, row-major, rank 0 to 4. Extents are non-negative.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> extents) {
    assert(extents.size() <= kMaxRank);
    for (std::int64_t extent : extents) {
      assert(extent >= 0);
      extents_[static_cast<std::size_t>(rank_++)] = extent;
    }
  }

  int rank() const { return rank_; }
  std::int64_t operator[](int axis) const {
    assert(axis >= 0 && axis < rank_);
    return extents_[static_cast<std::size_t>(axis)];
  }
  std::int64_t elements() const {
    std::int64_t product = 1;
    for (int axis = 0; axis < rank_; ++axis) product *= extents_[static_cast<std::size_t>(axis)];
    return product;
  }
  /// Elements of one row: everything behind the first axis.
  std::int64_t rowElements() const { return rank_ == 0 || extents_[0] == 0 ? 0 : elements() / extents_[0]; }
  bool operator==(const Shape&) const = default;

  /// "[8, 128]"
  std::string text() const {
    std::string result = "[";
    for (int axis = 0; axis < rank_; ++axis)
      result += (axis ? ", " : "") + std::to_string(extents_[static_cast<std::size_t>(axis)]);
    return result + "]";
  }

 private:
  std::array<std::int64_t, kMaxRank> extents_{};
  int rank_ = 0;
};

}  // namespace moe
