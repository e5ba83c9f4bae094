#pragma once
// Attention in f32, for heads of any width. Blocks of 256 threads work on 64 rows against 64 columns, each thread on
// rows y + 16i and columns x + 16j. A plane wider than W goes through shared memory W columns at a time; a block makes
// W columns of the result and scores all of them anew.
#include "core/backend/cuda/attention_planes.cuh"

namespace moe::cuda {

template <int W>
struct ExactTile {
  static constexpr int kRows = 64, kThreads = 256;
  static constexpr int kStride = W + 4;  // rows start in other banks
  static constexpr int kBytes = kRows * kStride * 4;
  static constexpr int kWeightStride = kRows + 4;  // of (64, 64) probabilities
  static constexpr int kWeightBytes = kRows * kWeightStride * 4;
  static constexpr int kMine = W / 16;  // columns of a result that a thread makes: x * kMine ..
  float* at;

  MOE_DEVICE static int x() { return threadOfBlock() % 16; }
  MOE_DEVICE static int y() { return threadOfBlock() / 16; }

  /// Asks for rows [first, first + 64), columns [column, column + W) of a plane; zeros from `length` on.
  MOE_DEVICE void ask(const float* plane, int first, int column, const AttentionShape& shape) const {
    constexpr int kPieces = W / 4;
    for (int i = threadOfBlock(); i < kRows * kPieces; i += kThreads) {
      const int row = i / kPieces, piece = i % kPieces * 4;
      const bool valid = first + row < shape.length;
      copyAsync16(at + row * kStride + piece,
                  plane + (valid ? std::int64_t{1} * (first + row) * shape.width + column + piece : 0), valid);
    }
  }

  /// result += rows of this tile times rows of `columns`, over W columns.
  MOE_DEVICE void multiplyRows(float (&result)[4][4], const ExactTile& columns) const {
    const float* const left = at + y() * kStride;
    const float* const right = columns.at + x() * kStride;
    for (int k = 0; k < W; k += 4) {
      Float4 a[4], b[4];
      MOE_UNROLL
      for (int i = 0; i < 4; ++i) {
        a[i] = *reinterpret_cast<const Float4*>(left + i * 16 * kStride + k);
        b[i] = *reinterpret_cast<const Float4*>(right + i * 16 * kStride + k);
      }
      MOE_UNROLL
      for (int i = 0; i < 4; ++i) MOE_UNROLL
      for (int j = 0; j < 4; ++j)
        result[i][j] =
            fmaf(a[i].x, b[j].x, fmaf(a[i].y, b[j].y, fmaf(a[i].z, b[j].z, fmaf(a[i].w, b[j].w, result[i][j]))));
    }
  }

  /// result += weights (64, 64) times this tile.
  MOE_DEVICE void mixRows(float (&result)[4][kMine], const float* weights) const {
    const float* const left = weights + y() * kWeightStride;
    const float* const right = at + x() * kMine;
    for (int k = 0; k < kRows; k += 4) {
      Float4 a[4];
      MOE_UNROLL
      for (int i = 0; i < 4; ++i) a[i] = *reinterpret_cast<const Float4*>(left + i * 16 * kWeightStride + k);
      MOE_UNROLL
      for (int step = 0; step < 4; ++step) {
        float b[kMine];
        if constexpr (kMine == 4) {
          const Float4 four = *reinterpret_cast<const Float4*>(right + (k + step) * kStride);
          b[0] = four.x, b[1] = four.y, b[2] = four.z, b[3] = four.w;
        } else {
          const Float2 two = *reinterpret_cast<const Float2*>(right + (k + step) * kStride);
          b[0] = two.x, b[1] = two.y;
        }
        MOE_UNROLL
        for (int i = 0; i < 4; ++i) {
          const float weight = step == 0 ? a[i].x : step == 1 ? a[i].y : step == 2 ? a[i].z : a[i].w;
          MOE_UNROLL
          for (int j = 0; j < kMine; ++j) result[i][j] = fmaf(weight, b[j], result[i][j]);
        }
      }
    }
  }

  /// Puts this thread's part of (64, 64) weights where mixRows reads them, after a sync().
  MOE_DEVICE static void putWeights(float* weights, const float (&part)[4][4]) {
    MOE_UNROLL
    for (int i = 0; i < 4; ++i) MOE_UNROLL
    for (int j = 0; j < 4; ++j) weights[(y() + 16 * i) * kWeightStride + x() + 16 * j] = part[i][j];
  }
};

/// Over the 16 threads that share a row.
MOE_DEVICE float rowMax(float value) {
  for (int mask = 8; mask > 0; mask /= 2) value = fmaxf(value, shuffleXor(value, mask));
  return value;
}
MOE_DEVICE float rowSum(float value) {
  for (int mask = 8; mask > 0; mask /= 2) value += shuffleXor(value, mask);
  return value;
}

template <int W>
struct AttendExact {
  using Tile = ExactTile<W>;
  static constexpr int kThreads = Tile::kThreads;
  static constexpr const char* kName = "attention, exact";
  static constexpr int sharedBytes() { return 3 * Tile::kBytes + Tile::kWeightBytes; }

  const float* planes;
  Twin out;
  float* logSums;  // base 2, of the scaled scores; infinite in rows that pad
  AttentionShape shape;
  float scale;  // log2(e) / sqrt(headWidth)
  int tiles;

  MOE_DEVICE void operator()() const {
    const int first = (tiles - 1 - block().x % tiles) * Tile::kRows, chunk = block().y, chunks = blocks().y;
    const int head = block().x / tiles % shape.heads, sequence = block().x / tiles / shape.heads;
    const int keyHead = shape.heads + head / shape.group();
    const float* const queryPlane = planes + shape.plane(sequence, head);
    const float* const keyPlane = planes + shape.plane(sequence, keyHead);
    const float* const valuePlane = keyPlane + shape.kvHeads * shape.planeElements();
    const Tile queries{shared<float>()}, keys{shared<float>(Tile::kBytes)}, values{shared<float>(2 * Tile::kBytes)};
    float* const weights = shared<float>(3 * Tile::kBytes);
    const int x = Tile::x(), y = Tile::y();

    float mixed[4][Tile::kMine] = {}, most[4], sum[4] = {};
    MOE_UNROLL
    for (int i = 0; i < 4; ++i) most[i] = kNegativeInfinity;
    const int end = first + Tile::kRows < shape.length ? first + Tile::kRows : shape.length;
    for (int at = 0; at < end; at += Tile::kRows) {
      float score[4][4] = {};
      for (int c = 0; c < chunks; ++c) {
        sync();  // what was there is no longer read
        if (chunks > 1 || at == 0) queries.ask(queryPlane, first, c * W, shape);
        keys.ask(keyPlane, at, c * W, shape);
        if (c == 0) values.ask(valuePlane, at, chunk * W, shape);
        commitCopies();
        waitCopies<0>();
        sync();
        queries.multiplyRows(score, keys);
      }
      MOE_UNROLL
      for (int i = 0; i < 4; ++i) {
        float largest = most[i];
        MOE_UNROLL
        for (int j = 0; j < 4; ++j) {
          if (at + x + 16 * j > first + y + 16 * i) score[i][j] = kNegativeInfinity;
          largest = fmaxf(largest, score[i][j]);
        }
        largest = rowMax(largest);  // finite: key 0 is in every row
        const float shrink = exp2f((most[i] - largest) * scale);
        most[i] = largest;
        float more = 0;
        MOE_UNROLL
        for (int j = 0; j < 4; ++j) {
          score[i][j] = exp2f((score[i][j] - largest) * scale);
          more += score[i][j];
        }
        sum[i] = fmaf(sum[i], shrink, more);
        MOE_UNROLL
        for (int j = 0; j < Tile::kMine; ++j) mixed[i][j] *= shrink;
      }
      Tile::putWeights(weights, score);
      sync();
      values.mixRows(mixed, weights);
    }

    const std::int64_t outWidth = std::int64_t{1} * shape.heads * shape.headWidth;
    MOE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const float total = rowSum(sum[i]);
      const int row = first + y + 16 * i;
      if (x == 0 && chunk == 0)
        logSums[shape.rowOf(sequence, head) + row] =
            row < shape.length ? fmaf(most[i], scale, log2f(total)) : -kNegativeInfinity;
      if (row >= shape.length) continue;
      const std::int64_t begin = (std::int64_t{1} * sequence * shape.length + row) * outWidth + head * shape.headWidth;
      MOE_UNROLL
      for (int j = 0; j < Tile::kMine; ++j) {
        const int column = chunk * W + x * Tile::kMine + j;
        if (column < shape.headWidth) out.put(begin + column, mixed[i][j] / total);
      }
    }
  }
};

/// Gradients of the keys and values of one tile, or of its queries, W columns of them: see AttendBackwardTiles.
template <int W>
struct AttendBackwardExact {
  using Tile = ExactTile<W>;
  static constexpr int kThreads = Tile::kThreads;
  static constexpr const char* kName = "attention backward, exact";
  static constexpr int kGroup = Tile::kMine / 2;
  static constexpr int sharedBytes() { return 4 * Tile::kBytes + Tile::kWeightBytes; }

  const float *planes, *dOut, *logSums, *deltas;
  const float* turns;  // (length, headWidth): cosines, then sines; null without rotary positions
  Twin dQkv;
  AttentionShape shape;
  float scale, scoreScale;  // log2(e) / sqrt(headWidth), 1 / sqrt(headWidth)
  int tiles;

  MOE_DEVICE void operator()() const {
    const int tile = block().x % tiles, unit = block().x / tiles;
    const int role = unit % (shape.kvHeads + shape.heads), sequence = unit / (shape.kvHeads + shape.heads);
    if (role < shape.kvHeads) {
      pass<true>(sequence, role, tile * Tile::kRows);
    } else {
      pass<false>(sequence, role - shape.kvHeads, (tiles - 1 - tile) * Tile::kRows);
    }
  }

  template <bool kOfKeys>
  MOE_DEVICE void pass(int sequence, int head, int first) const {
    const int chunk = block().y, chunks = blocks().y, keyHead = kOfKeys ? head : head / shape.group();
    const float* const keyPlane = planes + shape.plane(sequence, shape.heads + keyHead);
    const float* const valuePlane = keyPlane + shape.kvHeads * shape.planeElements();
    const Tile rowR{shared<float>()}, rowS{shared<float>(Tile::kBytes)};
    const Tile columnR{shared<float>(2 * Tile::kBytes)}, columnS{shared<float>(3 * Tile::kBytes)};
    float* const weights = shared<float>(4 * Tile::kBytes);
    const int x = Tile::x(), y = Tile::y();

    float gradient[4][Tile::kMine] = {}, valueGradient[4][Tile::kMine] = {};
    const int firstQuery = kOfKeys ? head * shape.group() : head, queries = kOfKeys ? shape.group() : 1;
    const int begin = kOfKeys ? first : 0;
    const int end = kOfKeys || first + Tile::kRows > shape.length ? shape.length : first + Tile::kRows;
    for (int query = firstQuery; query < firstQuery + queries; ++query) {
      const float* const queryPlane = planes + shape.plane(sequence, query);
      const float* const dOutPlane = dOut + shape.outputPlane(sequence, query);
      const float* const logs = logSums + shape.rowOf(sequence, query);
      const float* const delta = deltas + shape.rowOf(sequence, query);
      for (int at = begin; at < end; at += Tile::kRows) {
        float score[4][4] = {}, change[4][4] = {};
        for (int c = 1; c <= chunks; ++c) {
          const int column = (chunk + c) % chunks * W;  // the block's own last: its columns are mixed below
          sync();                                       // what was there is no longer read
          if (chunks > 1 || (at == begin && query == firstQuery)) {
            rowR.ask(kOfKeys ? keyPlane : queryPlane, first, column, shape);
            rowS.ask(kOfKeys ? valuePlane : dOutPlane, first, column, shape);
          }
          columnR.ask(kOfKeys ? queryPlane : keyPlane, at, column, shape);
          columnS.ask(kOfKeys ? dOutPlane : valuePlane, at, column, shape);
          commitCopies();
          waitCopies<0>();
          sync();
          rowR.multiplyRows(score, columnR);
          rowS.multiplyRows(change, columnS);
        }
        MOE_UNROLL
        for (int i = 0; i < 4; ++i) MOE_UNROLL
        for (int j = 0; j < 4; ++j) {
          const int row = first + y + 16 * i, column = at + x + 16 * j, line = kOfKeys ? column : row;
          const bool sees = kOfKeys ? row <= column : column <= row;
          score[i][j] = sees ? exp2f(fmaf(score[i][j], scale, -logs[line])) : 0;
          change[i][j] = score[i][j] * (change[i][j] - delta[line]);
        }
        if constexpr (kOfKeys) {
          Tile::putWeights(weights, score);
          sync();
          columnS.mixRows(valueGradient, weights);
          sync();
        }
        Tile::putWeights(weights, change);
        sync();
        columnR.mixRows(gradient, weights);
      }
    }

    const int place = kOfKeys ? shape.heads + head : head;
    MOE_UNROLL
    for (int i = 0; i < 4; ++i) {
      const int row = first + y + 16 * i;
      if (row >= shape.length) continue;
      const std::int64_t to = (std::int64_t{1} * sequence * shape.length + row) * shape.qkvWidth() +
                              std::int64_t{1} * place * shape.headWidth;
      const int column = chunk * W + x * Tile::kMine;
      if (turns != nullptr) {
        const float* const cosine = turns + std::int64_t{1} * row * shape.headWidth;
        MOE_UNROLL
        for (int j = 0; j < kGroup; ++j) {
          const int pair = column / 2 + j;
          if (pair >= shape.half) continue;
          const float cosineOf = cosine[pair], sineOf = cosine[shape.half + pair];
          const float one = gradient[i][j] * scoreScale, two = gradient[i][kGroup + j] * scoreScale;
          dQkv.put(to + pair, one * cosineOf + two * sineOf);
          dQkv.put(to + shape.half + pair, two * cosineOf - one * sineOf);
        }
      } else {
        MOE_UNROLL
        for (int j = 0; j < Tile::kMine; ++j)
          if (column + j < shape.headWidth) dQkv.put(to + column + j, gradient[i][j] * scoreScale);
      }
      if constexpr (kOfKeys) {
        MOE_UNROLL
        for (int j = 0; j < Tile::kMine; ++j)
          if (column + j < shape.headWidth)
            dQkv.put(to + std::int64_t{1} * shape.kvHeads * shape.headWidth + column + j, valueGradient[i][j]);
      }
    }
  }
};

}  // namespace moe::cuda
