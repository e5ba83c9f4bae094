// Flash attention: a row's probabilities are never stored. Forward lays the turned operands out in planes (in `saved`,
// in the precision of the products) and keeps the logarithm of each row's sum; backward scores again. It needs delta =
// dOut . out of each row, which comes with the planes of dOut.
#include <bit>
#include <cmath>
#include <numbers>
#include <vector>

#include "core/backend/cuda/attention_exact.cuh"
#include "core/backend/cuda/attention_planes.cuh"
#include "core/backend/cuda/attention_tiles.cuh"
#include "core/backend/cuda/cuda_backend.h"

namespace moe::cuda {
namespace {

constexpr int kRowsOfTile = 64;
constexpr int kWidestTile = 128;  // columns that bf16 tiles hold in registers

MOE_DEVICE void putFour(float* to, const float* from) {
  *reinterpret_cast<Float4*>(to) = {from[0], from[1], from[2], from[3]};
}
MOE_DEVICE void putFour(BFloat16* to, const float* from) {
  *reinterpret_cast<UInt2*>(to) = {packBf16(from[0], from[1]), packBf16(from[2], from[3])};
}
MOE_DEVICE float rounded(float value, const float*) { return value; }
MOE_DEVICE float rounded(float value, const BFloat16*) { return fromBf16(toBf16(value)); }

/// The planes of qkv. A thread makes 16 columns: of queries and keys eight turned pairs.
template <class Scalar, int kGroup>
struct LayOut {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "attention, lay out";
  Scalar* planes;
  const float* qkv;
  const float* turns;  // (length, headWidth): cosines, then sines; null without rotary positions
  AttentionShape shape;
  int tokensOfBlock;
  int vectors;  // rows are aligned to 16 bytes and whole pieces

  MOE_DEVICE static void read(float (&to)[8], const float* from, int first, int end, bool vectors) {
    if (vectors && first < end) {
      const Float4 low = *reinterpret_cast<const Float4*>(from + first);
      const Float4 high = *reinterpret_cast<const Float4*>(from + first + 4);
      to[0] = low.x, to[1] = low.y, to[2] = low.z, to[3] = low.w;
      to[4] = high.x, to[5] = high.y, to[6] = high.z, to[7] = high.w;
    } else {
      MOE_UNROLL
      for (int i = 0; i < 8; ++i) to[i] = first + i < end ? from[first + i] : 0;
    }
  }

  MOE_DEVICE void operator()() const {
    const int pieces = shape.width / 16, ofToken = shape.planes() * pieces, tokens = shape.sequences * shape.length;
    for (int i = threadOfBlock(); i < tokensOfBlock * ofToken; i += kThreads) {
      const int token = block().x * tokensOfBlock + i / ofToken, plane = i % ofToken / pieces, piece = i % pieces;
      if (token >= tokens) return;
      const int sequence = token / shape.length, position = token % shape.length;
      const bool turned = turns != nullptr && plane < shape.heads + shape.kvHeads;
      const float* const from = qkv + token * shape.qkvWidth() + plane * shape.headWidth;
      float one[8], two[8], out[16];
      read(one, from, turned ? piece * 8 : piece * 16, turned ? shape.half : shape.headWidth, vectors != 0);
      read(two, from, turned ? shape.half + piece * 8 : piece * 16 + 8, shape.headWidth, vectors != 0);
      if (turned) {
        const float* const turn = turns + std::int64_t{1} * position * shape.headWidth;
        float cosine[8], sine[8];
        read(cosine, turn, piece * 8, shape.half, vectors != 0);
        read(sine, turn + shape.half, piece * 8, shape.half, vectors != 0);
        MOE_UNROLL
        for (int j = 0; j < 8; ++j) {
          const int at = j / kGroup * 2 * kGroup + j % kGroup;
          out[at] = one[j] * cosine[j] - two[j] * sine[j];
          out[at + kGroup] = one[j] * sine[j] + two[j] * cosine[j];
        }
      } else {
        MOE_UNROLL
        for (int j = 0; j < 8; ++j) out[j] = one[j], out[8 + j] = two[j];
      }
      Scalar* const to = planes + shape.plane(sequence, plane) + std::int64_t{1} * position * shape.width + piece * 16;
      MOE_UNROLL
      for (int j = 0; j < 16; j += 4) putFour(to + j, out + j);
    }
  }
};

/// The planes of dOut, and delta of each row. Eight threads a row.
template <class Scalar>
struct LayOutGradient {
  static constexpr int kThreads = 256;
  static constexpr int kThreadsOfRow = 8;
  static constexpr const char* kName = "attention backward, lay out";
  Scalar* planes;
  float* deltas;
  const float *dOut, *out;
  AttentionShape shape;
  int vectors;

  MOE_DEVICE void operator()() const {
    // Heads of one token are neighbours in dOut.
    const auto index = static_cast<int>(globalThread() / kThreadsOfRow);
    const int head = index % shape.heads, row = index / shape.heads % shape.rows;
    const int sequence = index / shape.heads / shape.rows;
    const bool inside = sequence < shape.sequences;
    float sum = 0;
    if (inside && row < shape.length) {
      const std::int64_t from =
          ((std::int64_t{1} * sequence * shape.length + row) * shape.heads + head) * shape.headWidth;
      Scalar* const to = planes + shape.outputPlane(sequence, head) + std::int64_t{1} * row * shape.width;
      for (int column = lane() % kThreadsOfRow * 4; column < shape.width; column += kThreadsOfRow * 4) {
        float d[4] = {}, o[4] = {};
        if (vectors != 0 && column < shape.headWidth) {
          const Float4 four = *reinterpret_cast<const Float4*>(dOut + from + column);
          const Float4 other = *reinterpret_cast<const Float4*>(out + from + column);
          d[0] = four.x, d[1] = four.y, d[2] = four.z, d[3] = four.w;
          o[0] = other.x, o[1] = other.y, o[2] = other.z, o[3] = other.w;
        } else {
          MOE_UNROLL
          for (int j = 0; j < 4; ++j)
            if (column + j < shape.headWidth) d[j] = dOut[from + column + j], o[j] = out[from + column + j];
        }
        putFour(to + column, d);
        MOE_UNROLL
        for (int j = 0; j < 4; ++j) sum = fmaf(rounded(d[j], to), o[j], sum);
      }
    }
    for (int mask = kThreadsOfRow / 2; mask > 0; mask /= 2) sum += shuffleXor(sum, mask);
    if (inside && lane() % kThreadsOfRow == 0) deltas[shape.rowOf(sequence, head) + row] = sum;
  }
};

/// One token's head over a part of the cache, a thread a key; the last block of a head joins the parts. The grid fits
/// the cache, blocks behind the position end at once.
struct AttendNext {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "attention next";
  static constexpr int kKeys = kThreads;  // of a block
  static int sharedBytes(int headWidth) { return (2 * headWidth + 2 * kThreads + kThreads / kWarp) * 4; }

  Twin out;
  float *keys, *values;  // (capacity, kvHeads, headWidth)
  const float* qkv;
  const float* turn;  // (headWidth): cosines, then sines; null without rotary positions
  const int* position;
  float* parts;   // (heads, blocks, headWidth + 2): values mixed, largest score, sum
  int* counters;  // (heads)
  int heads, kvHeads, headWidth;
  float scale;  // log2(e) / sqrt(headWidth)

  MOE_DEVICE float turned(const float* from, int column) const {
    if (turn == nullptr) return from[column];
    const int half = headWidth / 2, pair = column % half;
    const float one = from[pair], two = from[half + pair], cosine = turn[pair], sine = turn[half + pair];
    return column < half ? one * cosine - two * sine : one * sine + two * cosine;
  }

  MOE_DEVICE void operator()() const {
    const int at = *position, first = block().x * kKeys, head = block().y, thread = threadOfBlock();
    if (first > at) return;
    const int group = heads / kvHeads, keyHead = head / group;
    const std::int64_t cacheRow = std::int64_t{1} * kvHeads * headWidth;
    float* const query = shared<float>();
    float* const key = query + headWidth;  // the new one
    float* const weights = key + headWidth;
    float* const sums = weights + kThreads;
    float* const room = sums + kThreads;
    const float* const newKey = qkv + (heads + keyHead) * headWidth;
    const float* const newValue = newKey + kvHeads * headWidth;
    for (int i = thread; i < headWidth; i += kThreads) {
      query[i] = turned(qkv + head * headWidth, i);
      key[i] = turned(newKey, i);
    }
    sync();
    const bool hasNew = at < first + kKeys;
    if (hasNew && head % group == 0)
      for (int i = thread; i < headWidth; i += kThreads) {
        keys[at * cacheRow + keyHead * headWidth + i] = key[i];
        values[at * cacheRow + keyHead * headWidth + i] = newValue[i];
      }

    float score = kNegativeInfinity;
    if (first + thread <= at) {
      // Another block may be writing the new key's row.
      const float* const row =
          first + thread == at ? key : keys + (first + thread) * cacheRow + std::int64_t{1} * keyHead * headWidth;
      float even = 0, odd = 0;
      for (int i = 0; i + 1 < headWidth; i += 2) {
        even = fmaf(query[i], row[i], even);
        odd = fmaf(query[i + 1], row[i + 1], odd);
      }
      if (headWidth % 2 != 0) even = fmaf(query[headWidth - 1], row[headWidth - 1], even);
      score = even + odd;
    }
    const float largest = blockMax(score, room);
    const float weight = exp2f((score - largest) * scale);
    weights[thread] = weight;
    sync();
    const float sum = blockSum(weight, room);

    // Columns side by side, and keys dealt out to as many rows of threads as there are.
    float* const part = parts + (std::int64_t{1} * head * blocks().x + block().x) * (headWidth + 2);
    const int lanes = headWidth < kThreads ? headWidth : kThreads, ways = kThreads / lanes;
    const int way = thread / lanes, count = (at - first < kKeys - 1 ? at - first : kKeys - 1) + 1;
    for (int base = 0; base < headWidth; base += lanes) {
      const int column = base + thread % lanes;
      float mixed = 0;
      if (way < ways && column < headWidth)
        for (int i = way; i < count; i += ways) {
          const float value =
              first + i == at ? newValue[column] : values[(first + i) * cacheRow + keyHead * headWidth + column];
          mixed = fmaf(weights[i], value, mixed);
        }
      sums[thread] = mixed;
      sync();
      if (way == 0 && column < headWidth) {
        for (int other = 1; other < ways; ++other) mixed += sums[other * lanes + thread];
        part[column] = mixed;
      }
      sync();
    }
    if (thread == 0) part[headWidth] = largest, part[headWidth + 1] = sum;
    const int active = at / kKeys + 1;
    if (!arrivedLast(counters + head, active)) return;

    const float* const all = parts + std::int64_t{1} * head * blocks().x * (headWidth + 2);
    float most = kNegativeInfinity, total = 0;
    for (int i = 0; i < active; ++i) most = fmaxf(most, all[i * (headWidth + 2) + headWidth]);
    for (int i = 0; i < active; ++i) {
      const float* const each = all + i * (headWidth + 2) + headWidth;
      total = fmaf(exp2f((each[0] - most) * scale), each[1], total);
    }
    for (int column = thread; column < headWidth; column += kThreads) {
      float mixed = 0;
      for (int i = 0; i < active; ++i) {
        const float* const each = all + i * (headWidth + 2);
        mixed = fmaf(exp2f((each[headWidth] - most) * scale), each[column], mixed);
      }
      out.put(head * headWidth + column, mixed / total);
    }
  }
};

int roundedUp(int n, int to) { return (n + to - 1) / to * to; }

bool aligned(const void* memory, std::uintptr_t bytes) {
  return memory == nullptr || std::bit_cast<std::uintptr_t>(memory) % bytes == 0;
}

/// How one call is computed; the same for the forward and the backward of a spec.
struct Plan {
  AttentionShape shape;
  bool tiles = false;  // of bf16
  int columns = 0;     // a block's W
  float scale = 0, scoreScale = 0;

  Plan(const AttentionSpec& spec, bool bf16, int sharedBytes) {
    shape.sequences = static_cast<int>(spec.sequences), shape.length = static_cast<int>(spec.length);
    shape.rows = roundedUp(shape.length, kRowsOfTile);
    shape.heads = static_cast<int>(spec.heads), shape.kvHeads = static_cast<int>(spec.kvHeads);
    shape.headWidth = static_cast<int>(spec.headWidth);
    shape.half = spec.ropeTheta != 0 ? shape.headWidth / 2 : 0;
    tiles = bf16 && shape.headWidth <= kWidestTile && AttendBackwardTiles<kWidestTile>::sharedBytes() <= sharedBytes;
    if (tiles) {
      columns = std::max(32, static_cast<int>(std::bit_ceil(static_cast<unsigned>(shape.headWidth))));
      shape.width = columns;
    } else {
      columns = shape.headWidth > 32 && AttendBackwardExact<64>::sharedBytes() <= sharedBytes ? 64 : 32;
      shape.width = roundedUp(shape.headWidth, columns);
    }
    const double root = 1 / std::sqrt(static_cast<double>(spec.headWidth));
    scoreScale = static_cast<float>(root), scale = static_cast<float>(root * std::numbers::log2e);
  }
  int tileCount() const { return shape.rows / kRowsOfTile; }
  std::int64_t planeFloats(std::int64_t planes) const {
    const std::int64_t elements = planes * shape.sequences * shape.length * shape.width;
    return tiles ? elements / 2 : elements;
  }
  std::int64_t qkvFloats() const { return planeFloats(shape.heads + 2 * shape.kvHeads); }
  std::int64_t rowFloats() const { return std::int64_t{1} * shape.sequences * shape.heads * shape.rows; }
  static constexpr std::int64_t kSlack = 4;  // floats, so that planes can be aligned
};

/// What forward keeps: planes, then log sums.
struct Kept {
  float *planes, *logSums;
  Kept(float* saved, const Plan& plan) {
    const auto address = std::bit_cast<std::uintptr_t>(saved);
    planes = saved + (16 - address % 16) % 16 / sizeof(float);
    logSums = planes + plan.qkvFloats();
  }
};

/// Cosines, then sines, of the angles of positions [first, first + count): (count, headWidth).
void turnsOf(float* turns, const AttentionSpec& spec, std::int64_t first, std::int64_t count) {
  assert(spec.headWidth % 2 == 0);
  const std::int64_t half = spec.headWidth / 2;
  for (std::int64_t i = 0; i < half; ++i) {
    const double turn = std::pow(spec.ropeTheta, -2.0 * static_cast<double>(i) / static_cast<double>(spec.headWidth));
    for (std::int64_t row = 0; row < count; ++row) {
      const double angle = static_cast<double>(first + row) * turn;
      turns[row * spec.headWidth + i] = static_cast<float>(std::cos(angle));
      turns[row * spec.headWidth + half + i] = static_cast<float>(std::sin(angle));
    }
  }
}

/// Calls body.operator()<W>().
template <class Body>
void withTileColumns(int columns, Body&& body) {
  if (columns == 32) return body.template operator()<32>();
  if (columns == 64) return body.template operator()<64>();
  assert(columns == kWidestTile);
  body.template operator()<kWidestTile>();
}
template <class Body>
void withExactColumns(int columns, Body&& body) {
  if (columns == 32) return body.template operator()<32>();
  assert(columns == 64);
  body.template operator()<64>();
}

}  // namespace

const float* CudaBackend::rotations(const AttentionSpec& spec) {
  if (spec.ropeTheta == 0) return nullptr;
  Tensor& table = rotations_[{spec.ropeTheta, spec.headWidth}];
  if (table.empty() || table.shape()[0] < spec.length) {
    const Tensor host = hostTensor({spec.length, spec.headWidth}, DType::f32);
    turnsOf(host.as<float>(), spec, 0, spec.length);
    table = allocate(host.shape(), DType::f32);
    queue().copyNow(table.view().data, host.view().data, host.view().bytes());
  }
  return at<float>(table);
}

std::int64_t CudaBackend::attentionSavedElements(const AttentionSpec& spec) const {
  const Plan plan(spec, bf16(), device_->queue.sharedBytesPerBlock());
  return Plan::kSlack + plan.qkvFloats() + plan.rowFloats();
}

void CudaBackend::attention(const TensorView& out, const TensorView& saved, const TensorView& qkv,
                            const AttentionSpec& spec) {
  const auto timed = queue().time("attention");
  assert(spec.heads % spec.kvHeads == 0);
  assert(out.elements() == spec.sequences * spec.length * spec.heads * spec.headWidth);
  assert(qkv.elements() == spec.sequences * spec.length * spec.qkvWidth());
  assert(saved.elements() >= attentionSavedElements(spec));
  if (out.empty()) return;
  written(out);
  written(saved);
  const Twin twin{at<float>(out), bf16() ? copies().writing(out) : nullptr};
  const Plan plan(spec, bf16(), queue().sharedBytesPerBlock());
  const AttentionShape& shape = plan.shape;
  const Kept kept(at<float>(saved), plan);
  const float* const turns = rotations(spec);

  const int tokens = shape.sequences * shape.length;
  const auto layOut = [&]<class Scalar, int kGroup>() {
    const int tokensOfBlock = std::max(1, 256 * 16 / (static_cast<int>(spec.heads + 2 * spec.kvHeads) * shape.width));
    const bool vectors = shape.headWidth % 16 == 0 && aligned(qkv.data, 16);
    queue().launch<LayOut<Scalar, kGroup>>({(tokens + tokensOfBlock - 1) / tokensOfBlock}, 0,
                                           reinterpret_cast<Scalar*>(kept.planes), at<float>(qkv), turns, shape,
                                           tokensOfBlock, static_cast<int>(vectors));
  };
  const int units = shape.sequences * shape.heads;
  if (plan.tiles) {
    layOut.template operator()<BFloat16, 8>();
    const auto attend = [&]<int W, int kSlabs>() {
      using Kernel = AttendTiles<W, kSlabs>;
      const int tiles = (shape.length + Kernel::kRows - 1) / Kernel::kRows;
      queue().launch<Kernel>({tiles * units}, Kernel::sharedBytes(), reinterpret_cast<const BFloat16*>(kept.planes),
                             twin, kept.logSums, shape, plan.scale, tiles,
                             static_cast<int>(shape.headWidth % 2 == 0 && aligned(out.data, 8)));
    };
    // More rows a warp read shared memory less often, where that leaves enough blocks.
    const bool many = (shape.length + 127) / 128 * units >= 2 * queue().multiprocessors();
    withTileColumns(plan.columns, [&]<int W>() {
      if constexpr (W == kWidestTile) {
        attend.template operator()<W, 1>();
      } else if (many) {
        attend.template operator()<W, 2>();
      } else {
        attend.template operator()<W, 1>();
      }
    });
  } else {
    withExactColumns(plan.columns, [&]<int W>() {
      layOut.template operator()<float, W / 32>();
      using Kernel = AttendExact<W>;
      queue().launch<Kernel>({plan.tileCount() * units, shape.width / W}, Kernel::sharedBytes(), kept.planes, twin,
                             kept.logSums, shape, plan.scale, plan.tileCount());
    });
  }
}

void CudaBackend::attentionBackward(const TensorView& dQkv, const TensorView& dOut, const TensorView& out,
                                    const TensorView& saved, const TensorView& qkv, const AttentionSpec& spec) {
  const auto timed = queue().time("attention backward");
  assert(dQkv.elements() == qkv.elements() && dOut.elements() == out.elements());
  assert(saved.elements() >= attentionSavedElements(spec));
  if (qkv.empty()) return;
  written(dQkv);
  const Twin twin{at<float>(dQkv), bf16() ? copies().writing(dQkv) : nullptr};
  const Plan plan(spec, bf16(), queue().sharedBytesPerBlock());
  const AttentionShape& shape = plan.shape;
  const Kept kept(at<float>(saved), plan);
  const float* const turns = rotations(spec);

  Scratch::Frame frame(scratch());
  float* const planes = frame.take<float>(plan.planeFloats(shape.heads));
  float* const deltas = frame.take<float>(plan.rowFloats());
  const auto layOut = [&]<class Scalar>() {
    using Kernel = LayOutGradient<Scalar>;
    const std::int64_t threads = plan.rowFloats() * Kernel::kThreadsOfRow;
    const bool vectors = shape.headWidth % 4 == 0 && aligned(dOut.data, 16) && aligned(out.data, 16);
    queue().launch<Kernel>({static_cast<int>((threads + Kernel::kThreads - 1) / Kernel::kThreads)}, 0,
                           reinterpret_cast<Scalar*>(planes), deltas, at<float>(dOut), at<float>(out), shape,
                           static_cast<int>(vectors));
  };
  const int blocks = plan.tileCount() * shape.sequences * (shape.kvHeads + shape.heads);
  if (plan.tiles) {
    layOut.template operator()<BFloat16>();
    const bool pairs = shape.headWidth % 2 == 0 && shape.half % 2 == 0 && aligned(dQkv.data, 8);
    withTileColumns(plan.columns, [&]<int W>() {
      using Kernel = AttendBackwardTiles<W>;
      queue().launch<Kernel>({blocks}, Kernel::sharedBytes(), reinterpret_cast<const BFloat16*>(kept.planes),
                             reinterpret_cast<const BFloat16*>(planes), kept.logSums, deltas, turns, twin, shape,
                             plan.scale, plan.scoreScale, plan.tileCount(), static_cast<int>(pairs));
    });
  } else {
    layOut.template operator()<float>();
    withExactColumns(plan.columns, [&]<int W>() {
      using Kernel = AttendBackwardExact<W>;
      queue().launch<Kernel>({blocks, shape.width / W}, Kernel::sharedBytes(), kept.planes, planes, kept.logSums,
                             deltas, turns, twin, shape, plan.scale, plan.scoreScale, plan.tileCount());
    });
  }
}

void CudaBackend::attentionNext(const TensorView& out, const KeyValueCache& cache, const TensorView& qkv,
                                const AttentionSpec& spec, std::int64_t position) {
  const auto timed = queue().time("attention next");
  assert(spec.sequences == 1 && spec.length == 1 && spec.heads % spec.kvHeads == 0);
  assert(out.elements() == spec.heads * spec.headWidth && qkv.elements() == spec.qkvWidth());
  assert(position >= 0 && position < cache.keys.shape[0] && cache.values.shape == cache.keys.shape);
  assert(cache.keys.shape.rowElements() == spec.kvHeads * spec.headWidth && spec.heads <= Queue::kCounters);
  written(out);
  written(cache.keys);
  written(cache.values);
  const Twin twin{at<float>(out), bf16() ? copies().writing(out) : nullptr};
  const Plan plan(spec, bf16(), queue().sharedBytesPerBlock());
  const AttentionShape& shape = plan.shape;
  const float* turn = nullptr;
  if (spec.ropeTheta != 0) {
    std::vector<float> turns(static_cast<std::size_t>(spec.headWidth));
    turnsOf(turns.data(), spec, position, 1);
    turn = queue().constant(std::span<const float>(turns));
  }
  const int* const where = queue().constant(static_cast<int>(position));
  const int blocks = static_cast<int>((cache.keys.shape[0] + AttendNext::kKeys - 1) / AttendNext::kKeys);
  Scratch::Frame frame(scratch());
  float* const parts = frame.take<float>(std::int64_t{1} * shape.heads * blocks * (shape.headWidth + 2));
  queue().launch<AttendNext>({blocks, shape.heads}, AttendNext::sharedBytes(shape.headWidth), twin,
                             at<float>(cache.keys), at<float>(cache.values), at<float>(qkv), turn, where, parts,
                             queue().counters(), shape.heads, shape.kvHeads, shape.headWidth, plan.scale);
}

}  // namespace moe::cuda
