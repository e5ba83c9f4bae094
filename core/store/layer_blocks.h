#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/store/sqlite.h"
#include "core/telemetry/points.h"

namespace moe {

// Per-layer values are kept as blocks of steps. A block is open while it is shorter than kBlockSteps: each append adds a
// small open one, and once they hold enough steps they are joined into a closed one, in the same transaction. So every
// moment is safe, and a step is written twice at most. All numbers little-endian.
//   metrics: a step each: u32 step - firstStep, the metrics, the assignments, the balance terms, their gradients (NaN
//            where not measured), f32. Version 1 had fewer metrics and neither assignments nor gradients: the length tells
//   loads:   (steps, experts) f32
//   summary: a bucket each: u32 first step - firstStep, u32 steps, then low, high, last (experts) f32

constexpr std::int64_t kBlockSteps = 256;  // of a closed block, unless the number of experts or terms changed
constexpr std::int64_t kBucketSteps = 16;  // of a summary's parts

/// One layer at one step.
struct LayerRecord {
  std::int64_t step = 0;
  LayerPoint point;
};

/// What the row says of a block.
struct BlockShape {
  std::int64_t firstStep = 0, count = 0;
  int layer = 0, experts = 0, terms = 0;
};

std::vector<std::byte> encodeMetrics(std::span<const LayerRecord> records);
std::vector<std::byte> encodeLoads(std::span<const LayerRecord> records);
/// Throws std::length_error where the sizes do not agree: the file is damaged. `loads` may be empty: points carry none.
std::vector<LayerRecord> decodeRecords(const BlockShape& shape, Bytes metrics, Bytes loads);

/// Where a run of records has to be cut: at kBlockSteps and where experts or terms change. Indices of the parts' ends.
std::vector<std::size_t> blockEnds(std::span<const LayerRecord> records);

/// Loads of some consecutive steps.
struct LoadBucket {
  std::int64_t firstStep = 0, steps = 0;
  std::vector<float> low, high, last;  // (experts)
  void add(const LoadBucket& next);    // of the steps behind
};
LoadBucket bucketOf(const LayerRecord& record);
std::vector<std::byte> encodeSummary(std::span<const LayerRecord> records, std::int64_t bucketSteps);
std::vector<LoadBucket> decodeSummary(const BlockShape& shape, Bytes summary);

}  // namespace moe
