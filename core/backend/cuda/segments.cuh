#pragma once
// Many stretches of memory of any length as one grid: each is cut into chunks of equal length, a block takes a chunk.
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "core/backend/cuda/device.cuh"

namespace moe::cuda {

/// Chunk c of all belongs to the segment s with firstChunk[s] <= c < firstChunk[s + 1].
struct Chunks {
  const std::int32_t* firstChunk;  // (segments + 1)
  int segments;
  std::int64_t length;  // numbers of a chunk, a multiple of 4

  MOE_DEVICE int segmentOf(int chunk) const {
    int low = 0, high = segments;  // firstChunk[low] <= chunk < firstChunk[high]
    while (high - low > 1) {
      const int middle = (low + high) / 2;
      if (firstChunk[middle] <= chunk) low = middle;
      else high = middle;
    }
    return low;
  }
  MOE_DEVICE std::int64_t begin(int chunk, int segment) const {
    return static_cast<std::int64_t>(chunk - firstChunk[segment]) * length;
  }
};

/// The host's half: firstChunk for segments of these lengths, and the length of a chunk.
struct ChunkPlan {
  std::vector<std::int32_t> firstChunk{0};
  std::int64_t length = 0;

  template <class Lengths>
  static ChunkPlan of(const Lengths& lengths) {
    std::int64_t all = 0;
    for (const std::int64_t n : lengths) all += n;
    ChunkPlan plan;
    plan.length = std::clamp<std::int64_t>(all / 1024 / 1024 * 1024, 2048, 32768);
    for (const std::int64_t n : lengths)
      plan.firstChunk.push_back(plan.firstChunk.back() + static_cast<std::int32_t>((n + plan.length - 1) / plan.length));
    return plan;
  }
  int chunks() const { return firstChunk.back(); }
};

}  // namespace moe::cuda
