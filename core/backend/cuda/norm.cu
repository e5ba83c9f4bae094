#include <algorithm>
#include <cmath>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/vectors.cuh"
#include "core/base/error.h"

namespace moe::cuda {
namespace {

// A row belongs to a team: a warp, or the whole block of eight where rows are long. Each thread keeps kItems vectors of
// the row, a team's width apart.

constexpr int kNormThreads = 256;
constexpr int kRoomBytes = 128;  // of a team's sums, before everything else in shared memory

template <int kVector, int kItems, int kWarps>
struct Norm {
  static constexpr int kThreads = kNormThreads;
  static constexpr const char* kName = "norm";
  static constexpr int kTeam = kWarps * kWarp;
  float* y;
  BFloat16* copy;
  float* statistics;
  const float *x, *weight, *bias;
  std::int64_t rows;
  int width;
  float epsilon;
  int layer;

  MOE_DEVICE float teamSum(float value, int room) const {
    if constexpr (kWarps == 1) return warpSum(value);
    return blockSum(value, shared<float>() + room * (kThreads / kWarp));
  }

  MOE_DEVICE void operator()() const {
    const int member = threadOfBlock() % kTeam;
    const std::int64_t row = static_cast<std::int64_t>(block().x) * (kThreads / kTeam) + threadOfBlock() / kTeam;
    if (row >= rows) return;
    const float* const in = x + row * width;
    float values[kItems][kVector];
    float mean = 0, squares = 0;
    MOE_UNROLL
    for (int k = 0; k < kItems; ++k) {
      const int i = (k * kTeam + member) * kVector;
      if (i < width) {
        load(values[k], in + i);
      } else {
        clear(values[k]);
      }
      MOE_UNROLL
      for (int j = 0; j < kVector; ++j) mean += values[k][j];
    }
    mean = layer ? teamSum(mean, 0) / static_cast<float>(width) : 0.0f;
    MOE_UNROLL
    for (int k = 0; k < kItems; ++k) {
      if ((k * kTeam + member) * kVector >= width) continue;
      MOE_UNROLL
      for (int j = 0; j < kVector; ++j) squares += (values[k][j] - mean) * (values[k][j] - mean);
    }
    const float inverse = 1.0f / sqrtf(teamSum(squares, 1) / static_cast<float>(width) + epsilon);
    if (member == 0) {
      statistics[2 * row] = mean;
      statistics[2 * row + 1] = inverse;
    }
    MOE_UNROLL
    for (int k = 0; k < kItems; ++k) {
      const int i = (k * kTeam + member) * kVector;
      if (i >= width) continue;
      float factor[kVector], shift[kVector];
      load(factor, weight + i);
      clear(shift);
      if (bias != nullptr) load(shift, bias + i);
      MOE_UNROLL
      for (int j = 0; j < kVector; ++j) factor[j] = factor[j] * ((values[k][j] - mean) * inverse) + shift[j];
      store(y + row * width + i, factor);
      if (copy != nullptr) store(copy + row * width + i, factor);
    }
  }
};

/// With n = (x - mean) * inverse and g = dy * weight: dx += inverse * (g - mean(g) - n * mean(g * n)), without mean(g)
/// for rms. Each team keeps the sums over its rows of dy * n and dy, its block adds the teams up, the last of a group
/// of blocks the group, and the last group all.
template <int kVector, int kItems, int kWarps>
struct NormBackward {
  static constexpr int kThreads = kNormThreads;
  static constexpr const char* kName = "norm backward";
  static constexpr int kTeam = kWarps * kWarp, kTeams = kThreads / kTeam;
  /// A team's columns, or what sumRows asks for.
  static constexpr int kSharedBytes =
      kRoomBytes + (kTeams > 1 ? std::max(kTeams * kTeam * kItems * kVector * 4, kSumRowsBytes<kVector, kThreads>)
                               : kSumRowsBytes<kVector, kThreads>);
  float *dx, *dWeight, *dBias;
  float *partials, *groupPartials;
  int* counters;
  const float *dy, *x, *statistics, *weight;
  std::int64_t rows;
  int width, layer;
  int sums;  // of dWeight, and dBias where it is asked for
  int groupBlocks;

  /// Both sums over the team. Rounds alternate between two rooms, so that one barrier each is enough.
  MOE_DEVICE void teamSums(float& first, float& second, int round) const {
    first = warpSum(first);
    second = warpSum(second);
    if constexpr (kWarps > 1) {
      float* const room = shared<float>() + round % 2 * 2 * kWarps;
      if (lane() == 0) room[2 * warp()] = first, room[2 * warp() + 1] = second;
      sync();
      first = second = 0;
      MOE_UNROLL
      for (int w = 0; w < kWarps; ++w) first += room[2 * w], second += room[2 * w + 1];
    }
  }

  MOE_DEVICE void operator()() const {
    static_assert(2 * 2 * 8 * sizeof(float) <= kRoomBytes);
    const int team = threadOfBlock() / kTeam, member = threadOfBlock() % kTeam;
    float weightSum[kItems][kVector], biasSum[kItems][kVector];
    MOE_UNROLL
    for (int k = 0; k < kItems; ++k) clear(weightSum[k]), clear(biasSum[k]);

    int round = 0;
    const std::int64_t step = static_cast<std::int64_t>(blocks().x) * kTeams;
    for (std::int64_t row = static_cast<std::int64_t>(block().x) * kTeams + team; row < rows; row += step, ++round) {
      const float mean = statistics[2 * row], inverse = statistics[2 * row + 1];
      float n[kItems][kVector] = {}, g[kItems][kVector] = {}, old[kItems][kVector] = {};
      float sumOfG = 0, sumOfGN = 0;
      MOE_UNROLL
      for (int k = 0; k < kItems; ++k) {
        const int i = (k * kTeam + member) * kVector;
        if (i >= width) continue;
        load(n[k], x + row * width + i);
        load(g[k], dy + row * width + i);
        load(old[k], dx + row * width + i);
      }
      MOE_UNROLL
      for (int k = 0; k < kItems; ++k) {
        const int i = (k * kTeam + member) * kVector;
        if (i >= width) continue;
        float factor[kVector];
        load(factor, weight + i);
        MOE_UNROLL
        for (int j = 0; j < kVector; ++j) {
          n[k][j] = (n[k][j] - mean) * inverse;
          weightSum[k][j] += g[k][j] * n[k][j];
          biasSum[k][j] += g[k][j];
          g[k][j] *= factor[j];
          sumOfG += g[k][j];
          sumOfGN += g[k][j] * n[k][j];
        }
      }
      teamSums(sumOfG, sumOfGN, round);
      const float meanOfG = layer ? sumOfG / static_cast<float>(width) : 0.0f;
      const float meanOfGN = sumOfGN / static_cast<float>(width);
      MOE_UNROLL
      for (int k = 0; k < kItems; ++k) {
        const int i = (k * kTeam + member) * kVector;
        if (i >= width) continue;
        MOE_UNROLL
        for (int j = 0; j < kVector; ++j) old[k][j] += inverse * (g[k][j] - meanOfG - n[k][j] * meanOfGN);
        store(dx + row * width + i, old[k]);
      }
    }

    float* const room = shared<float>(kRoomBytes);
    const std::int64_t elements = static_cast<std::int64_t>(sums) * width;
    float* const mine = partials + block().x * elements;
    const auto keep = [&](const float(&sum)[kItems][kVector], float* to) {
      MOE_UNROLL
      for (int k = 0; k < kItems; ++k) {
        const int i = (k * kTeam + member) * kVector;
        if (i < width) store((kTeams > 1 ? room + team * width : to) + i, sum[k]);
      }
      if constexpr (kTeams > 1) {
        sync();
        for (int i = threadOfBlock(); i < width; i += kThreads) {
          float total = 0;
          MOE_UNROLL
          for (int other = 0; other < kTeams; ++other) total += room[other * width + i];
          to[i] = total;
        }
        sync();
      }
    };
    keep(weightSum, mine);
    if (sums > 1) keep(biasSum, mine + width);

    const int groups = (blocks().x + groupBlocks - 1) / groupBlocks, group = block().x / groupBlocks;
    const int first = group * groupBlocks, behind = first + groupBlocks < blocks().x ? first + groupBlocks : blocks().x;
    if (!arrivedLast(counters + 1 + group, behind - first)) return;
    sumRows<kVector, kThreads>(
        behind - first, static_cast<int>(elements), room, [&](int r) { return partials + (first + r) * elements; },
        [&](int i, const float(&sum)[kVector]) { store(groupPartials + group * elements + i, sum); });
    if (!arrivedLast(counters, groups)) return;
    sumRows<kVector, kThreads>(
        groups, static_cast<int>(elements), room, [&](int r) { return groupPartials + r * elements; },
        [&](int i, const float(&sum)[kVector]) {
          float* const out = i < width ? dWeight : dBias;
          if (out == nullptr) return;
          float* const to = out + (i < width ? i : i - width);
          float values[kVector];
          load(values, to);
          addTo(values, sum);
          store(to, values);
        });
  }
};

/// Calls with the vector, items and warps that suit rows of this width.
template <class Call>
void forWidth(std::int64_t width, bool fours, Call&& call) {
  if (fours) {
    if (width <= 128) return call.template operator()<4, 1, 1>();
    if (width <= 256) return call.template operator()<4, 2, 1>();
    if (width <= 512) return call.template operator()<4, 4, 1>();
    if (width <= 1024) return call.template operator()<4, 1, 8>();
    if (width <= 4096) return call.template operator()<4, 4, 8>();
    if (width <= 8192) return call.template operator()<4, 8, 8>();
  } else {
    if (width <= 128) return call.template operator()<1, 4, 1>();
    if (width <= 1024) return call.template operator()<1, 4, 8>();
    if (width <= 8192) return call.template operator()<1, 32, 8>();
  }
  throw Error("cuda", "A norm over " + std::to_string(width) +
                          " numbers is wider than this backend can do; choose a width of at most 8,192.");
}

}  // namespace

void CudaBackend::norm(const TensorView& y, const TensorView& statistics, const TensorView& x, const TensorView& weight,
                       const TensorView& bias, NormKind kind, double epsilon) {
  const auto timed = queue().time("norm");
  const std::int64_t width = weight.elements(), rows = x.elements() / width;
  assert(y.elements() == x.elements() && x.elements() == rows * width && statistics.elements() == 2 * rows);
  assert(bias.empty() || bias.elements() == width);
  if (rows == 0) return;
  written(y);
  written(statistics);
  BFloat16* const copy = copies().writing(y);
  float *const out = at<float>(y), *const saved = at<float>(statistics);
  const float *const in = at<float>(x), *const factor = at<float>(weight), *const shift = at<float>(bias);
  forWidth(width, inFours(width, {out, in, factor, shift}), [&]<int kVector, int kItems, int kWarps>() {
    const auto blocks = static_cast<int>((rows * kWarps + 7) / 8);
    queue().launch<Norm<kVector, kItems, kWarps>>({blocks}, kRoomBytes, out, copy, saved, in, factor, shift, rows,
                                                  static_cast<int>(width), static_cast<float>(epsilon),
                                                  static_cast<int>(kind == NormKind::layer));
  });
}

void CudaBackend::normBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                               const TensorView& dy, const TensorView& x, const TensorView& statistics,
                               const TensorView& weight, NormKind kind) {
  const auto timed = queue().time("norm backward");
  const std::int64_t width = weight.elements(), rows = x.elements() / width;
  assert(dy.elements() == x.elements() && dx.elements() == x.elements() && statistics.elements() == 2 * rows);
  if (rows == 0) return;
  for (const TensorView* out : {&dx, &dWeight, &dBias})
    if (!out->empty()) written(*out);
  float *const dIn = at<float>(dx), *const dFactor = at<float>(dWeight), *const dShift = at<float>(dBias);
  const float *const dOut = at<float>(dy), *const in = at<float>(x), *const factor = at<float>(weight);
  const float* const saved = at<float>(statistics);
  const int sums = dShift == nullptr ? 1 : 2;
  forWidth(width, inFours(width, {dIn, dFactor, dShift, dOut, in, factor}), [&]<int kVector, int kItems, int kWarps>() {
    using Kernel = NormBackward<kVector, kItems, kWarps>;
    constexpr std::int64_t kRowsOfBlock = 2 * Kernel::kTeams;  // a team's one row would leave more to add up than to do
    const auto blocks = static_cast<int>(
        std::min<std::int64_t>((rows + kRowsOfBlock - 1) / kRowsOfBlock, 4 * queue().multiprocessors()));
    const int groupBlocks = static_cast<int>(std::ceil(std::sqrt(blocks)));
    const int groups = (blocks + groupBlocks - 1) / groupBlocks;
    Scratch::Frame frame(scratch());
    float* const partials = frame.take<float>(blocks * sums * width);
    float* const groupPartials = frame.take<float>(groups * sums * width);
    queue().launch<Kernel>({blocks}, Kernel::kSharedBytes, dIn, dFactor, dShift, partials, groupPartials,
                           queue().counters(), dOut, in, saved, factor, rows, static_cast<int>(width),
                           static_cast<int>(kind == NormKind::layer), sums, groupBlocks);
  });
}

}  // namespace moe::cuda
