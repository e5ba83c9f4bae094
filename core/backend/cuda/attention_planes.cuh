#pragma once
// How attention lays its operands out, for kernels of either precision. A plane is one head of one sequence: (length,
// width) numbers, zeros behind headWidth, aligned for vectors. The planes of a sequence follow one another: queries,
// keys, values. Queries and keys are turned, and the two of a turning pair (i, i + headWidth/2) lie kGroup columns
// apart, where one thread of the kernels holds both: scores do not care in which order columns stand. kGroup first
// numbers of pairs, then kGroup second ones, and so on.
#include "core/backend/cuda/device.cuh"

namespace moe::cuda {

/// Only ints: the queue compares bytes, so there must be none that nobody sets.
struct AttentionShape {
  int sequences = 1, length = 1;
  int rows = 64;  // length rounded up to the kernels' tiles: of log sums and deltas, (sequences, heads, rows)
  int heads = 1, kvHeads = 1, headWidth = 1;
  int width = 32;  // of a plane
  int half = 0;    // headWidth / 2 where positions are rotary, else 0

  MOE_DEVICE int planes() const { return heads + 2 * kvHeads; }
  MOE_DEVICE int group() const { return heads / kvHeads; }
  MOE_DEVICE std::int64_t qkvWidth() const { return std::int64_t{1} * planes() * headWidth; }
  MOE_DEVICE std::int64_t planeElements() const { return std::int64_t{1} * length * width; }
  /// Where a plane of queries (0..), keys (heads..) or values begins.
  MOE_DEVICE std::int64_t plane(int sequence, int index) const {
    return (std::int64_t{1} * sequence * planes() + index) * planeElements();
  }
  /// The same among the gradients of the outputs, which are heads planes a sequence.
  MOE_DEVICE std::int64_t outputPlane(int sequence, int head) const {
    return (std::int64_t{1} * sequence * heads + head) * planeElements();
  }
  MOE_DEVICE std::int64_t rowOf(int sequence, int head) const {
    return (std::int64_t{1} * sequence * heads + head) * rows;
  }
};

struct alignas(8) Float2 {
  float x, y;
};

/// An f32 tensor and its bf16 twin, null where nobody reads one. Neighbours are written together where `pairs` says that
/// they are aligned.
struct Twin {
  float* exact;
  BFloat16* copy;

  MOE_DEVICE void put(std::int64_t at, float value) const {
    exact[at] = value;
    if (copy != nullptr) copy[at] = toBf16(value);
  }
  /// Columns column and column + 1 of those below `end`.
  MOE_DEVICE void putTwo(std::int64_t row, int column, int end, float first, float second, bool pairs) const {
    if (pairs) {
      if (column >= end) return;
      *reinterpret_cast<Float2*>(exact + row + column) = {first, second};
      if (copy != nullptr) *reinterpret_cast<std::uint32_t*>(copy + row + column) = packBf16(first, second);
    } else {
      if (column < end) put(row + column, first);
      if (column + 1 < end) put(row + column + 1, second);
    }
  }
};

}  // namespace moe::cuda
