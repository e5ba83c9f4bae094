#pragma once
// Sums down the columns of (rows, width), in a fixed order and one launch: a block sums 32 columns of one chunk of rows,
// and the last block of a column group to arrive adds the chunks. A part of a kernel: block().y is the chunk.
#include "core/backend/cuda/device.cuh"

namespace moe::cuda {

struct ColumnSums {
  static constexpr int kThreads = 256;
  static constexpr int kRowsAtOnce = kThreads / kWarp;  // a block's warps take a row each
  static constexpr int kMostChunks = 64;

  float* out;      // (width); null: nobody asked
  float* partial;  // (chunks, width)
  int* counters;   // a column group each
  std::int64_t rows;
  int width, chunks;
  bool add;        // += instead of =

  static int chunksFor(std::int64_t rows) {
    const std::int64_t chunks = (rows + kMostChunks - 1) / kMostChunks;
    return static_cast<int>(chunks < kMostChunks ? chunks : kMostChunks);
  }
  static int groupsFor(std::int64_t width) { return static_cast<int>((width + kWarp - 1) / kWarp); }

  /// This lane's column in a group of 32.
  MOE_DEVICE int begin(int group) const { return group * kWarp + lane(); }
  /// This warp's rows: from firstRow() in steps of kRowsAtOnce.
  MOE_DEVICE std::int64_t firstRow() const { return rows * block().y / chunks + warp(); }
  MOE_DEVICE std::int64_t endRow() const { return rows * (block().y + 1) / chunks; }

  /// Given each thread's sum of its rows. Every thread of the block calls it.
  MOE_DEVICE void finish(int group, float sum) const { finishAll<1>(*this, *this, group, sum, 0); }
  /// Two at once; `second` differs in out, partial and counters alone.
  MOE_DEVICE void finish2(const ColumnSums& second, int group, float sum, float other) const {
    finishAll<2>(*this, second, group, sum, other);
  }

 private:
  template <int kSums>
  MOE_DEVICE static void finishAll(const ColumnSums& a, const ColumnSums& b, int group, float sum, float other) {
    float* const room = shared<float>();  // kSharedBytes
    const int column = a.begin(group);
    acrossWarps<kSums>(room, sum, other);
    if (warp() == 0 && column < a.width) {
      a.partial[static_cast<std::int64_t>(block().y) * a.width + column] = sum;
      if (kSums == 2) b.partial[static_cast<std::int64_t>(block().y) * a.width + column] = other;
    }
    if (!arrivedLast(a.counters + group, a.chunks)) return;
    sum = other = 0;
    if (column < a.width)
      for (int chunk = warp(); chunk < a.chunks; chunk += kRowsAtOnce) {
        sum += a.partial[static_cast<std::int64_t>(chunk) * a.width + column];
        if (kSums == 2) other += b.partial[static_cast<std::int64_t>(chunk) * a.width + column];
      }
    acrossWarps<kSums>(room, sum, other);
    if (warp() != 0 || column >= a.width) return;
    if (a.out != nullptr) a.out[column] = sum + (a.add ? a.out[column] : 0);
    if (kSums == 2 && b.out != nullptr) b.out[column] = other + (b.add ? b.out[column] : 0);
  }

  /// Leaves the sum over the block's warps with the first of them.
  template <int kSums>
  MOE_DEVICE static void acrossWarps(float* room, float& sum, float& other) {
    sync();
    room[threadOfBlock()] = sum;
    if (kSums == 2) room[kThreads + threadOfBlock()] = other;
    sync();
    if (warp() != 0) return;
    sum = other = 0;
    for (int w = 0; w < kRowsAtOnce; ++w) {
      sum += room[w * kWarp + lane()];
      if (kSums == 2) other += room[kThreads + w * kWarp + lane()];
    }
  }

 public:
  static constexpr int kSharedBytes = 2 * kThreads * static_cast<int>(sizeof(float));
};

}  // namespace moe::cuda
