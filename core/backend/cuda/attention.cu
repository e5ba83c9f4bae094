// Causal attention in tiles of 32 rows, never a T x T matrix: forward keeps each row's log-sum-exp, backward computes the
// probabilities anew. A warp owns some rows of one side (its sums stay in registers) and its lanes take the 32 rows of the
// other side's tile.
#include <cmath>
#include <vector>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/vectors.cuh"

namespace moe::cuda {
namespace {

constexpr int kTile = 32;   // rows of the side that passes by
constexpr int kWarps = 4;

/// Rows of one head in a table of tokens: row t begins at data + t * stride.
struct HeadRows {
  const float* data;
  std::int64_t stride;
};

/// The operands of all three kernels; heads of a table lie one behind the other, `width` apart.
struct Operands {
  HeadRows queries, keys, values;  // of head 0
  std::int64_t length;             // S
  int heads, kvHeads, width;
  float scale;
  bool fours;

  MOE_DEVICE HeadRows of(const HeadRows& rows, int head, int sequence) const {
    return {rows.data + static_cast<std::int64_t>(head) * width + sequence * length * rows.stride, rows.stride};
  }
};

/// kWide * 32: the head's width, filled up with zeros. kRows: rows that a warp owns.
template <int kWide, int kRows>
struct Tiles {
  static constexpr int kWidth = kWide * kWarp;
  static constexpr int kStride = kWidth + 4;  // of a row in shared memory: lanes that read a row each meet no conflict
  static constexpr int kOwned = kWarps * kRows;
  static constexpr int kSquare = kTile + 4;   // of a row of probabilities
  static constexpr int kThreads = kWarps * kWarp;

  MOE_DEVICE static void load(float* to, const HeadRows& from, std::int64_t first, std::int64_t end, int rows, int width,
                              bool fours) {
    for (int i = threadOfBlock(); i < rows * kWidth / 4; i += kThreads) {
      const int row = i / (kWidth / 4), column = i % (kWidth / 4) * 4;
      Numbers<4> four = {};
      if (first + row < end) {
        const float* const at = from.data + (first + row) * from.stride + column;
        if (fours) {
          if (column < width) four = moe::cuda::load<4>(at);
        } else {
          for (int j = 0; j < 4; ++j)
            if (column + j < width) four.value[j] = at[j];
        }
      }
      store(to + row * kStride + column, four);
    }
  }

  /// sums[r] = row r of the warp's . the lane's row.
  MOE_DEVICE static void dots(float (&sums)[kRows], const float* owned, const float* mine) {
    MOE_UNROLL for (int r = 0; r < kRows; ++r) sums[r] = 0;
    for (int d = 0; d < kWidth; d += 4) {
      const Numbers<4> b = moe::cuda::load<4>(mine + d);
      MOE_UNROLL for (int r = 0; r < kRows; ++r) {
        const Numbers<4> a = moe::cuda::load<4>(owned + r * kStride + d);
        MOE_UNROLL for (int j = 0; j < 4; ++j) sums[r] += a.value[j] * b.value[j];
      }
    }
  }

  /// sums[r][i] += over the tile's rows j: square[r][j] * tile[j][lane + 32 i].
  MOE_DEVICE static void mix(float (&sums)[kRows][kWide], const float* square, const float* tile) {
    for (int j = 0; j < kTile; j += 4) {
      float v[4][kWide];
      MOE_UNROLL for (int q = 0; q < 4; ++q)
        MOE_UNROLL for (int i = 0; i < kWide; ++i) v[q][i] = tile[(j + q) * kStride + i * kWarp + lane()];
      MOE_UNROLL for (int r = 0; r < kRows; ++r) {
        const Numbers<4> p = moe::cuda::load<4>(square + r * kSquare + j);
        MOE_UNROLL for (int q = 0; q < 4; ++q)
          MOE_UNROLL for (int i = 0; i < kWide; ++i) sums[r][i] += p.value[q] * v[q][i];
      }
    }
  }
};

template <int kWide, int kRows>
struct AttentionForward {
  using T = Tiles<kWide, kRows>;
  static constexpr int kThreads = T::kThreads;
  static constexpr int kSharedBytes = 4 * ((T::kOwned + 2 * kTile) * T::kStride + T::kOwned * T::kSquare);
  static constexpr const char* kName = "attention";
  Operands in;
  float* out;       // (T, heads * width)
  BFloat16* copy;   // of out, or null
  float* logSums;   // (B, heads, S)

  MOE_DEVICE void operator()() const {
    float *const queries = shared<float>(), *const keys = queries + T::kOwned * T::kStride,
                *const values = keys + kTile * T::kStride, *const squares = values + kTile * T::kStride;
    const std::int64_t first = static_cast<std::int64_t>(blocks().x - 1 - block().x) * T::kOwned;  // the longest first
    const int head = block().y, kv = head / (in.heads / in.kvHeads), sequence = block().z;
    T::load(queries, in.of(in.queries, head, sequence), first, in.length, T::kOwned, in.width, in.fours);
    const HeadRows keyRows = in.of(in.keys, kv, sequence), valueRows = in.of(in.values, kv, sequence);
    float* const owned = queries + warp() * kRows * T::kStride;
    float* const square = squares + warp() * kRows * T::kSquare;
    float most[kRows], sum[kRows], mixed[kRows][kWide];
    MOE_UNROLL for (int r = 0; r < kRows; ++r) {
      most[r] = kNegativeInfinity;
      sum[r] = 0;
      MOE_UNROLL for (int i = 0; i < kWide; ++i) mixed[r][i] = 0;
    }
    const std::int64_t last = first + T::kOwned < in.length ? first + T::kOwned : in.length;  // keys before it are seen
    for (std::int64_t key = 0; key < last; key += kTile) {
      sync();
      T::load(keys, keyRows, key, in.length, kTile, in.width, in.fours);
      T::load(values, valueRows, key, in.length, kTile, in.width, in.fours);
      sync();
      float score[kRows];
      T::dots(score, owned, keys + lane() * T::kStride);
      MOE_UNROLL for (int r = 0; r < kRows; ++r) {
        const std::int64_t query = first + warp() * kRows + r;
        const bool seen = key + lane() <= query && key + lane() < in.length;
        const float s = seen ? score[r] * in.scale : kNegativeInfinity;
        const float top = fmaxf(most[r], warpMax(s));
        const float p = seen ? expf(s - top) : 0.0f, before = top == kNegativeInfinity ? 1.0f : expf(most[r] - top);
        sum[r] = sum[r] * before + warpSum(p);
        most[r] = top;
        MOE_UNROLL for (int i = 0; i < kWide; ++i) mixed[r][i] *= before;
        square[r * T::kSquare + lane()] = p;
      }
      syncWarp();
      T::mix(mixed, square, values);
    }
    MOE_UNROLL for (int r = 0; r < kRows; ++r) {
      const std::int64_t query = first + warp() * kRows + r;
      if (query >= in.length) continue;
      const std::int64_t row = ((sequence * in.length + query) * in.heads + head) * in.width;
      MOE_UNROLL for (int i = 0; i < kWide; ++i) {
        const int column = i * kWarp + lane();
        if (column >= in.width) continue;
        const float value = mixed[r][i] / sum[r];
        out[row + column] = value;
        if (copy != nullptr) copy[row + column] = toBf16(value);
      }
      if (lane() == 0) logSums[(static_cast<std::int64_t>(sequence) * in.heads + head) * in.length + query] = most[r] + logf(sum[r]);
    }
  }
};

/// What both backward kernels read of a query row: dOut and what stands beside it.
struct Backward {
  HeadRows dOut, out;    // of head 0
  const float* logSums;  // (B, heads, S)
  float* deltas;         // (B, heads, S) dOut . out: written with the queries' gradients, read with the keys'
  float* dQkv;           // (T, qkvWidth)
  std::int64_t stride;   // qkvWidth
};

template <int kWide, int kRows>
struct AttentionQueries {
  using T = Tiles<kWide, kRows>;
  static constexpr int kThreads = T::kThreads;
  static constexpr int kSharedBytes = 4 * ((2 * T::kOwned + 2 * kTile) * T::kStride + T::kOwned * T::kSquare);
  static constexpr const char* kName = "attention backward, queries";
  Operands in;
  Backward back;

  MOE_DEVICE void operator()() const {
    float *const queries = shared<float>(), *const dOuts = queries + T::kOwned * T::kStride,
                *const keys = dOuts + T::kOwned * T::kStride, *const values = keys + kTile * T::kStride,
                *const squares = values + kTile * T::kStride;
    const std::int64_t first = static_cast<std::int64_t>(blocks().x - 1 - block().x) * T::kOwned;
    const int head = block().y, kv = head / (in.heads / in.kvHeads), sequence = block().z;
    const HeadRows dOutRows = in.of(back.dOut, head, sequence), outRows = in.of(back.out, head, sequence);
    T::load(queries, in.of(in.queries, head, sequence), first, in.length, T::kOwned, in.width, in.fours);
    T::load(dOuts, dOutRows, first, in.length, T::kOwned, in.width, in.fours);
    const HeadRows keyRows = in.of(in.keys, kv, sequence), valueRows = in.of(in.values, kv, sequence);
    const int mine = warp() * kRows;
    float* const square = squares + mine * T::kSquare;
    const std::int64_t table = (static_cast<std::int64_t>(sequence) * in.heads + head) * in.length;
    sync();
    float logSum[kRows], delta[kRows], dQuery[kRows][kWide];
    MOE_UNROLL for (int r = 0; r < kRows; ++r) {
      const std::int64_t query = first + mine + r;
      delta[r] = 0;
      MOE_UNROLL for (int i = 0; i < kWide; ++i) {
        dQuery[r][i] = 0;
        const int column = i * kWarp + lane();
        if (query < in.length && column < in.width)
          delta[r] += dOuts[(mine + r) * T::kStride + column] * outRows.data[query * outRows.stride + column];
      }
      delta[r] = warpSum(delta[r]);
      logSum[r] = query < in.length ? back.logSums[table + query] : 0;
      if (lane() == 0 && query < in.length) back.deltas[table + query] = delta[r];
    }
    const std::int64_t last = first + T::kOwned < in.length ? first + T::kOwned : in.length;
    for (std::int64_t key = 0; key < last; key += kTile) {
      sync();
      T::load(keys, keyRows, key, in.length, kTile, in.width, in.fours);
      T::load(values, valueRows, key, in.length, kTile, in.width, in.fours);
      sync();
      float score[kRows], dProbability[kRows];
      T::dots(score, queries + mine * T::kStride, keys + lane() * T::kStride);
      T::dots(dProbability, dOuts + mine * T::kStride, values + lane() * T::kStride);
      MOE_UNROLL for (int r = 0; r < kRows; ++r) {
        const bool seen = key + lane() <= first + mine + r && key + lane() < in.length;
        const float p = seen ? expf(score[r] * in.scale - logSum[r]) : 0.0f;
        square[r * T::kSquare + lane()] = p * (dProbability[r] - delta[r]) * in.scale;
      }
      syncWarp();
      T::mix(dQuery, square, keys);
    }
    MOE_UNROLL for (int r = 0; r < kRows; ++r) {
      const std::int64_t query = first + mine + r;
      if (query >= in.length) continue;
      float* const to = back.dQkv + (sequence * in.length + query) * back.stride + static_cast<std::int64_t>(head) * in.width;
      MOE_UNROLL for (int i = 0; i < kWide; ++i)
        if (i * kWarp + lane() < in.width) to[i * kWarp + lane()] = dQuery[r][i];
    }
  }
};

template <int kWide, int kRows>
struct AttentionKeys {
  using T = Tiles<kWide, kRows>;
  static constexpr int kThreads = T::kThreads;
  static constexpr int kSharedBytes = 4 * ((2 * T::kOwned + 2 * kTile) * T::kStride + 2 * T::kOwned * T::kSquare);
  static constexpr const char* kName = "attention backward, keys and values";
  Operands in;
  Backward back;

  MOE_DEVICE void operator()() const {
    float *const keys = shared<float>(), *const values = keys + T::kOwned * T::kStride,
                *const queries = values + T::kOwned * T::kStride, *const dOuts = queries + kTile * T::kStride,
                *const squares = dOuts + kTile * T::kStride;
    const std::int64_t first = static_cast<std::int64_t>(block().x) * T::kOwned;  // the longest are first
    const int kv = block().y, group = in.heads / in.kvHeads, sequence = block().z, mine = warp() * kRows;
    T::load(keys, in.of(in.keys, kv, sequence), first, in.length, T::kOwned, in.width, in.fours);
    T::load(values, in.of(in.values, kv, sequence), first, in.length, T::kOwned, in.width, in.fours);
    float *const probabilities = squares + 2 * mine * T::kSquare, *const dScores = probabilities + kRows * T::kSquare;
    float dKey[kRows][kWide], dValue[kRows][kWide];
    MOE_UNROLL for (int r = 0; r < kRows; ++r)
      MOE_UNROLL for (int i = 0; i < kWide; ++i) dKey[r][i] = dValue[r][i] = 0;
    for (int head = kv * group; head < (kv + 1) * group; ++head) {
      const HeadRows queryRows = in.of(in.queries, head, sequence), dOutRows = in.of(back.dOut, head, sequence);
      const std::int64_t table = (static_cast<std::int64_t>(sequence) * in.heads + head) * in.length;
      for (std::int64_t query = first / kTile * kTile; query < in.length; query += kTile) {
        sync();
        T::load(queries, queryRows, query, in.length, kTile, in.width, in.fours);
        T::load(dOuts, dOutRows, query, in.length, kTile, in.width, in.fours);
        sync();
        float score[kRows], dProbability[kRows];
        T::dots(score, keys + mine * T::kStride, queries + lane() * T::kStride);
        T::dots(dProbability, values + mine * T::kStride, dOuts + lane() * T::kStride);
        const std::int64_t at = query + lane();
        const float logSum = at < in.length ? back.logSums[table + at] : 0;
        const float delta = at < in.length ? back.deltas[table + at] : 0;
        MOE_UNROLL for (int r = 0; r < kRows; ++r) {
          const bool seen = first + mine + r <= at && at < in.length;
          const float p = seen ? expf(score[r] * in.scale - logSum) : 0.0f;
          probabilities[r * T::kSquare + lane()] = p;
          dScores[r * T::kSquare + lane()] = p * (dProbability[r] - delta) * in.scale;
        }
        syncWarp();
        T::mix(dValue, probabilities, dOuts);
        T::mix(dKey, dScores, queries);
      }
    }
    MOE_UNROLL for (int r = 0; r < kRows; ++r) {
      const std::int64_t key = first + mine + r;
      if (key >= in.length) continue;
      float* const dKeyRow = back.dQkv + (sequence * in.length + key) * back.stride + static_cast<std::int64_t>(in.heads + kv) * in.width;
      float* const dValueRow = dKeyRow + static_cast<std::int64_t>(in.kvHeads) * in.width;
      MOE_UNROLL for (int i = 0; i < kWide; ++i) {
        const int column = i * kWarp + lane();
        if (column >= in.width) continue;
        dKeyRow[column] = dKey[r][i];
        dValueRow[column] = dValue[r][i];
      }
    }
  }
};

/// Turns the pairs (i, i + width/2) of the first `heads` heads of each token by its position; back with direction -1.
struct Rotate {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "rotate";
  float* out;
  const float* in;
  std::int64_t outStride, inStride, tokens, length;
  const std::int64_t* firstPosition;  // null: 0
  const float* turns;                 // (positions, width/2, 2) cosine and sine
  int heads, width;
  float direction;

  MOE_DEVICE void operator()() const {
    const int half = width / 2, ofToken = heads * half;
    const std::int64_t begin = firstPosition == nullptr ? 0 : *firstPosition;
    for (std::int64_t pair = globalThread(); pair < tokens * ofToken; pair += globalThreads()) {
      const std::int64_t t = pair / ofToken;
      const int rest = static_cast<int>(pair - t * ofToken), head = rest / half, i = rest % half;
      const float* const turn = turns + ((begin + t % length) * half + i) * 2;
      const float cosine = turn[0], sine = direction * turn[1];
      const float a = in[t * inStride + head * width + i], b = in[t * inStride + head * width + i + half];
      out[t * outStride + head * width + i] = a * cosine - b * sine;
      out[t * outStride + head * width + i + half] = a * sine + b * cosine;
    }
  }
};

/// Appends the token's keys and values to the cache.
struct Append {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "append to the cache";
  float *keys, *values;
  const float *key, *value;
  const std::int64_t* position;
  int row;
  MOE_DEVICE void operator()() const {
    for (int i = static_cast<int>(globalThread()); i < row; i += static_cast<int>(globalThreads())) {
      keys[*position * row + i] = key[i];
      values[*position * row + i] = value[i];
    }
  }
};

/// One query a head over the cache: each warp takes every eighth position, and the warps' parts are put together.
struct AttendOne {
  static constexpr int kThreads = 256;
  static constexpr int kParts = kThreads / kWarp;
  static constexpr const char* kName = "attention of one token";
  float* out;
  const float *query, *keys, *values;
  const std::int64_t* position;
  int heads, kvHeads, width;
  float scale;

  MOE_DEVICE void operator()() const {
    const int head = block().x, row = kvHeads * width, kv = head / (heads / kvHeads) * width;
    float *const mixed = shared<float>() + warp() * width, *const room = shared<float>() + kParts * width;
    float most = kNegativeInfinity, sum = 0;
    for (int i = lane(); i < width; i += kWarp) mixed[i] = 0;
    for (std::int64_t j = warp(); j <= *position; j += kParts) {
      float score = 0;
      for (int i = lane(); i < width; i += kWarp) score += query[head * width + i] * keys[j * row + kv + i];
      score = warpSum(score) * scale;
      const float top = fmaxf(most, score), p = expf(score - top), before = expf(most - top);
      sum = sum * before + p;
      most = top;
      for (int i = lane(); i < width; i += kWarp) mixed[i] = mixed[i] * before + p * values[j * row + kv + i];
    }
    if (lane() == 0) {
      room[warp()] = most;
      room[kParts + warp()] = sum;
    }
    sync();
    float top = kNegativeInfinity, all = 0;
    for (int w = 0; w < kParts; ++w) top = fmaxf(top, room[w]);
    for (int w = 0; w < kParts; ++w) all += room[kParts + w] * expf(room[w] - top);
    for (int i = threadOfBlock(); i < width; i += kThreads) {
      float value = 0;
      for (int w = 0; w < kParts; ++w) value += shared<float>()[w * width + i] * expf(room[w] - top);
      out[head * width + i] = value / all;
    }
  }
};

/// Calls run<kWide, kRows>() for a head of this width.
template <class Run>
void withTiles(std::int64_t width, Run&& run) {
  if (width <= 32) return run.template operator()<1, 8>();
  if (width <= 64) return run.template operator()<2, 8>();
  if (width <= 128) return run.template operator()<4, 4>();
  if (width <= 256) return run.template operator()<8, 4>();
  throw Error("cuda", "expected heads of at most 256 numbers, found " + std::to_string(width) +
                          "; more heads of less width compute as much, or choose another backend");
}

Operands operandsOf(const AttentionSpec& spec, const float* qkv, const float* rotated) {
  Operands in{};
  const std::int64_t qkvWidth = spec.qkvWidth(), turned = (spec.heads + spec.kvHeads) * spec.headWidth;
  in.queries = rotated != nullptr ? HeadRows{rotated, turned} : HeadRows{qkv, qkvWidth};
  in.keys = {in.queries.data + spec.heads * spec.headWidth, in.queries.stride};
  in.values = {qkv + turned, qkvWidth};
  in.length = spec.length;
  in.heads = static_cast<int>(spec.heads);
  in.kvHeads = static_cast<int>(spec.kvHeads);
  in.width = static_cast<int>(spec.headWidth);
  in.scale = static_cast<float>(1 / std::sqrt(static_cast<double>(spec.headWidth)));
  in.fours = movesFours(spec.headWidth, qkv, rotated);
  return in;
}

std::int64_t rotatedElements(const AttentionSpec& spec) {
  if (spec.ropeTheta == 0) return 0;
  return (spec.sequences * spec.length * (spec.heads + spec.kvHeads) * spec.headWidth + 3) / 4 * 4;
}

}  // namespace

const float* CudaBackend::turnsOf(double theta, std::int64_t width, std::int64_t positions) {
  Tensor& table = turns_[{theta, width, positions}];
  if (table.empty()) {
    const std::int64_t half = width / 2;
    const Tensor host = hostTensor({positions, half, 2}, DType::f32);
    for (std::int64_t p = 0; p < positions; ++p)
      for (std::int64_t i = 0; i < half; ++i) {
        const double angle = static_cast<double>(p) * std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(width));
        host.as<float>()[(p * half + i) * 2] = static_cast<float>(std::cos(angle));
        host.as<float>()[(p * half + i) * 2 + 1] = static_cast<float>(std::sin(angle));
      }
    table = allocate(host.shape(), DType::f32);
    copy(table, host);
  }
  return at<float>(table);
}

std::int64_t CudaBackend::attentionSavedElements(const AttentionSpec& spec) const {
  return rotatedElements(spec) + spec.sequences * spec.length * spec.heads;
}

void CudaBackend::attention(const TensorView& out, const TensorView& saved, const TensorView& qkv,
                            const AttentionSpec& spec) {
  const auto timed = queue().time("attention");
  const std::int64_t tokens = spec.sequences * spec.length;
  if (tokens == 0) return;
  written(out);
  written(saved);
  float *rotated = nullptr, *const logSums = at<float>(saved) + rotatedElements(spec);
  if (spec.ropeTheta != 0) {
    rotated = at<float>(saved);
    const std::int64_t heads = spec.heads + spec.kvHeads;
    queue().launch<Rotate>({blocksFor(tokens * heads * spec.headWidth / 2, Rotate::kThreads)}, 0, rotated,
                           static_cast<const float*>(at<float>(qkv)), heads * spec.headWidth, spec.qkvWidth(), tokens,
                           spec.length, static_cast<const std::int64_t*>(nullptr),
                           turnsOf(spec.ropeTheta, spec.headWidth, spec.length), static_cast<int>(heads),
                           static_cast<int>(spec.headWidth), 1.0f);
  }
  const Operands in = operandsOf(spec, at<float>(qkv), rotated);
  BFloat16* const copy = bf16() ? copies().writing(out) : nullptr;
  withTiles(spec.headWidth, [&]<int kWide, int kRows>() {
    using Kernel = AttentionForward<kWide, kRows>;
    const auto tiles = static_cast<int>((spec.length + Kernel::T::kOwned - 1) / Kernel::T::kOwned);
    queue().launch<Kernel>({tiles, in.heads, static_cast<int>(spec.sequences)}, Kernel::kSharedBytes, in, at<float>(out),
                           copy, logSums);
  });
}

void CudaBackend::attentionBackward(const TensorView& dQkv, const TensorView& dOut, const TensorView& out,
                                    const TensorView& saved, const TensorView& qkv, const AttentionSpec& spec) {
  const auto timed = queue().time("attention backward");
  const std::int64_t tokens = spec.sequences * spec.length;
  if (tokens == 0) return;
  written(dQkv);
  float* const rotated = spec.ropeTheta != 0 ? at<float>(saved) : nullptr;
  Scratch::Frame room(scratch());
  Operands in = operandsOf(spec, at<float>(qkv), rotated);
  in.fours = in.fours && movesFours(spec.headWidth, at<float>(dOut));
  const std::int64_t outStride = spec.heads * spec.headWidth;
  const Backward back{{at<float>(dOut), outStride},
                      {at<float>(out), outStride},
                      at<float>(saved) + rotatedElements(spec),
                      room.take<float>(tokens * spec.heads),
                      at<float>(dQkv),
                      spec.qkvWidth()};
  withTiles(spec.headWidth, [&]<int kWide, int kRows>() {
    using Queries = AttentionQueries<kWide, kRows>;
    using Keys = AttentionKeys<kWide, kRows>;
    const auto tiles = static_cast<int>((spec.length + Queries::T::kOwned - 1) / Queries::T::kOwned);
    const auto sequences = static_cast<int>(spec.sequences);
    queue().launch<Queries>({tiles, in.heads, sequences}, Queries::kSharedBytes, in, back);
    queue().launch<Keys>({tiles, in.kvHeads, sequences}, Keys::kSharedBytes, in, back);
  });
  if (rotated == nullptr) return;
  const std::int64_t heads = spec.heads + spec.kvHeads;
  queue().launch<Rotate>({blocksFor(tokens * heads * spec.headWidth / 2, Rotate::kThreads)}, 0, at<float>(dQkv),
                         static_cast<const float*>(at<float>(dQkv)), spec.qkvWidth(), spec.qkvWidth(), tokens, spec.length,
                         static_cast<const std::int64_t*>(nullptr),
                         turnsOf(spec.ropeTheta, spec.headWidth, spec.length), static_cast<int>(heads),
                         static_cast<int>(spec.headWidth), -1.0f);
}

void CudaBackend::attentionNext(const TensorView& out, const KeyValueCache& cache, const TensorView& qkv,
                                const AttentionSpec& spec, std::int64_t position) {
  const auto timed = queue().time("attention next");
  assert(position >= 0 && position < cache.keys.shape[0] && cache.values.shape == cache.keys.shape);
  for (const TensorView& view : {out, cache.keys, cache.values}) written(view);
  Scratch::Frame room(scratch());
  const std::int64_t width = spec.headWidth, row = spec.kvHeads * width;
  const std::int64_t* const place = queue().constant(position);
  const float *const values = at<float>(qkv) + (spec.heads + spec.kvHeads) * width, *query = at<float>(qkv);
  if (spec.ropeTheta != 0) {
    const std::int64_t heads = spec.heads + spec.kvHeads;
    float* const rotated = room.take<float>(heads * width);
    queue().launch<Rotate>({blocksFor(heads * width / 2, Rotate::kThreads)}, 0, rotated, query, heads * width,
                           spec.qkvWidth(), std::int64_t{1}, std::int64_t{1}, place,
                           turnsOf(spec.ropeTheta, width, cache.keys.shape[0]), static_cast<int>(heads),
                           static_cast<int>(width), 1.0f);
    query = rotated;
  }
  queue().launch<Append>({blocksFor(row, Append::kThreads)}, 0, at<float>(cache.keys), at<float>(cache.values),
                         query + spec.heads * width, values, place, static_cast<int>(row));
  const auto shared = static_cast<int>((AttendOne::kParts * width + 2 * AttendOne::kParts) * static_cast<std::int64_t>(sizeof(float)));
  queue().launch<AttendOne>({static_cast<int>(spec.heads)}, shared, at<float>(out), query,
                            static_cast<const float*>(at<float>(cache.keys)), static_cast<const float*>(at<float>(cache.values)),
                            place, static_cast<int>(spec.heads), static_cast<int>(spec.kvHeads), static_cast<int>(width),
                            static_cast<float>(1 / std::sqrt(static_cast<double>(width))));
}

}  // namespace moe::cuda
