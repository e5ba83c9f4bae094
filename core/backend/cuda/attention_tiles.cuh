#pragma once
// Attention on bf16 tiles: scores, probabilities and sums are f32, every product's operands bf16. Four warps a block;
// each has 16 rows (kSlabs times that forward) against all columns of a tile, so that a row's softmax stays within four
// lanes and probabilities go from one product into the next in registers. Tiles of the other side come in two stages.
#include "core/backend/cuda/attention_planes.cuh"

namespace moe::cuda {

/// W columns as they lie in shared memory: rows 16 bytes further apart, so that eight of them meet no bank twice.
template <int W>
struct SharedTile {
  static constexpr int kStride = W + 8;
  static constexpr int kRowBytes = kStride * 2;
  BFloat16* at;

  /// Asks for rows [first, first + count) of a plane; zeros from `length` on.
  MOE_DEVICE void ask(const BFloat16* plane, int first, int count, int length) const {
    constexpr int kPieces = W / 8;
    for (int i = threadOfBlock(); i < count * kPieces; i += threadsOfBlock()) {
      const int row = i / kPieces, piece = i % kPieces;
      const bool valid = first + row < length;
      copyAsync16(at + row * kStride + piece * 8, plane + (valid ? (first + row) * W + piece * 8 : 0), valid);
    }
  }
  /// Rows [row, +16), columns [k, +16) as a product's left operand.
  MOE_DEVICE void left(std::uint32_t (&r)[4], int row, int k) const {
    loadMatrix4(r, at + (row + lane() % 16) * kStride + k + lane() / 16 * 8);
  }
  /// Rows [n, +16), columns [k, +16) as the right operand of a product with the transposed: columns n.. and n + 8.. .
  MOE_DEVICE void rightTransposed(std::uint32_t (&low)[2], std::uint32_t (&high)[2], int n, int k) const {
    std::uint32_t r[4];
    loadMatrix4(r, at + (n + lane() / 16 * 8 + lane() % 8) * kStride + k + lane() / 8 % 2 * 8);
    low[0] = r[0], low[1] = r[1], high[0] = r[2], high[1] = r[3];
  }
  /// Rows [k, +16), columns [n, +16) as the right operand: columns n.. and n + 8.. .
  MOE_DEVICE void right(std::uint32_t (&low)[2], std::uint32_t (&high)[2], int k, int n) const {
    std::uint32_t r[4];
    loadMatrix4Transposed(r, at + (k + lane() % 16) * kStride + n + lane() / 16 * 8);
    low[0] = r[0], low[1] = r[1], high[0] = r[2], high[1] = r[3];
  }
};

/// Two neighbouring (16, 8) results as one (16, 16) left operand.
MOE_DEVICE void packLeft(std::uint32_t (&a)[4], const float (&first)[4], const float (&second)[4]) {
  a[0] = packBf16(first[0], first[1]);
  a[1] = packBf16(first[2], first[3]);
  a[2] = packBf16(second[0], second[1]);
  a[3] = packBf16(second[2], second[3]);
}

template <int W, int kSlabs>
struct AttendTiles {
  static constexpr int kThreads = 128;
  static constexpr const char* kName = "attention";
  static constexpr int kRows = 64 * kSlabs, kKeys = 64;
  static constexpr int sharedBytes() { return SharedTile<W>::kRowBytes * (kRows + 4 * kKeys); }

  const BFloat16* planes;
  Twin out;
  float* logSums;  // base 2, of the scaled scores; infinite in rows that pad
  AttentionShape shape;
  float scale;  // log2(e) / sqrt(headWidth)
  int tiles, pairs;

  MOE_DEVICE SharedTile<W> keys(int stage) const {
    return {shared<BFloat16>(SharedTile<W>::kRowBytes * (kRows + stage * 2 * kKeys))};
  }
  MOE_DEVICE SharedTile<W> values(int stage) const {
    return {shared<BFloat16>(SharedTile<W>::kRowBytes * (kRows + stage * 2 * kKeys + kKeys))};
  }

  MOE_DEVICE void operator()() const {
    // The longest rows of a head begin first, and heads that run together share their keys in the cache.
    const int first = (tiles - 1 - block().x % tiles) * kRows;
    const int head = block().x / tiles % shape.heads, sequence = block().x / tiles / shape.heads;
    const int keyHead = shape.heads + head / shape.group();
    const BFloat16* const keyPlane = planes + shape.plane(sequence, keyHead);
    const BFloat16* const valuePlane = planes + shape.plane(sequence, keyHead + shape.kvHeads);
    const SharedTile<W> queries{shared<BFloat16>()};
    queries.ask(planes + shape.plane(sequence, head), first, kRows, shape.length);
    keys(0).ask(keyPlane, 0, kKeys, shape.length);
    values(0).ask(valuePlane, 0, kKeys, shape.length);
    commitCopies();

    const int warpRow = warp() * 16 * kSlabs, row = first + warpRow + lane() / 4, column = lane() % 4 * 2;
    const int steps = ((first + kRows < shape.length ? first + kRows : shape.length) + kKeys - 1) / kKeys;
    std::uint32_t query[kSlabs][W / 16][4];
    float mixed[kSlabs][W / 8][4] = {};
    float most[kSlabs][2], sum[kSlabs][2] = {};
    MOE_UNROLL
    for (int m = 0; m < kSlabs; ++m) most[m][0] = most[m][1] = kNegativeInfinity;

    for (int step = 0; step < steps; ++step) {
      waitCopies<0>();
      sync();
      if (step + 1 < steps) {
        keys((step + 1) % 2).ask(keyPlane, (step + 1) * kKeys, kKeys, shape.length);
        values((step + 1) % 2).ask(valuePlane, (step + 1) * kKeys, kKeys, shape.length);
        commitCopies();
      }
      if (step == 0) {
        MOE_UNROLL
        for (int m = 0; m < kSlabs; ++m) MOE_UNROLL
        for (int k = 0; k < W / 16; ++k) queries.left(query[m][k], warpRow + m * 16, k * 16);
      }
      const int firstKey = step * kKeys;
      if (firstKey > first + warpRow + 16 * kSlabs - 1) continue;  // all masked

      float score[kSlabs][kKeys / 8][4] = {};
      const SharedTile<W> key = keys(step % 2), value = values(step % 2);
      MOE_UNROLL
      for (int n = 0; n < kKeys / 16; ++n) MOE_UNROLL
      for (int k = 0; k < W / 16; ++k) {
        std::uint32_t low[2], high[2];
        key.rightTransposed(low, high, n * 16, k * 16);
        MOE_UNROLL
        for (int m = 0; m < kSlabs; ++m) {
          multiplyTile(score[m][2 * n], query[m][k], low);
          multiplyTile(score[m][2 * n + 1], query[m][k], high);
        }
      }
      if (firstKey + kKeys - 1 > first + warpRow) {
        MOE_UNROLL
        for (int m = 0; m < kSlabs; ++m) MOE_UNROLL
        for (int n = 0; n < kKeys / 8; ++n) MOE_UNROLL
        for (int i = 0; i < 4; ++i)
          if (firstKey + n * 8 + column + i % 2 > row + m * 16 + i / 2 * 8) score[m][n][i] = kNegativeInfinity;
      }
      MOE_UNROLL
      for (int m = 0; m < kSlabs; ++m) MOE_UNROLL
      for (int half = 0; half < 2; ++half) {
        float largest = most[m][half];
        MOE_UNROLL
        for (int n = 0; n < kKeys / 8; ++n)
          largest = fmaxf(largest, fmaxf(score[m][n][2 * half], score[m][n][2 * half + 1]));
        largest = fmaxf(largest, shuffleXor(largest, 1));
        largest = fmaxf(largest, shuffleXor(largest, 2));  // finite: key 0 is in every row
        const float shrink = exp2f((most[m][half] - largest) * scale), offset = largest * scale;
        most[m][half] = largest;
        float more = 0;
        MOE_UNROLL
        for (int n = 0; n < kKeys / 8; ++n) MOE_UNROLL
        for (int i = 2 * half; i < 2 * half + 2; ++i) {
          score[m][n][i] = exp2f(fmaf(score[m][n][i], scale, -offset));
          more += score[m][n][i];
        }
        sum[m][half] = fmaf(sum[m][half], shrink, more);
        MOE_UNROLL
        for (int n = 0; n < W / 8; ++n) mixed[m][n][2 * half] *= shrink, mixed[m][n][2 * half + 1] *= shrink;
      }
      MOE_UNROLL
      for (int k = 0; k < kKeys / 16; ++k) {
        std::uint32_t probability[kSlabs][4];
        MOE_UNROLL
        for (int m = 0; m < kSlabs; ++m) packLeft(probability[m], score[m][2 * k], score[m][2 * k + 1]);
        MOE_UNROLL
        for (int n = 0; n < W / 16; ++n) {
          std::uint32_t low[2], high[2];
          value.right(low, high, k * 16, n * 16);
          MOE_UNROLL
          for (int m = 0; m < kSlabs; ++m) {
            multiplyTile(mixed[m][2 * n], probability[m], low);
            multiplyTile(mixed[m][2 * n + 1], probability[m], high);
          }
        }
      }
    }

    const std::int64_t outWidth = std::int64_t{1} * shape.heads * shape.headWidth;
    MOE_UNROLL
    for (int m = 0; m < kSlabs; ++m) MOE_UNROLL
    for (int half = 0; half < 2; ++half) {
      float total = sum[m][half];
      total += shuffleXor(total, 1);
      total += shuffleXor(total, 2);
      const int at = row + m * 16 + half * 8;
      if (lane() % 4 == 0 && at < shape.rows)
        logSums[shape.rowOf(sequence, head) + at] =
            at < shape.length ? fmaf(most[m][half], scale, log2f(total)) : -kNegativeInfinity;
      if (at >= shape.length) continue;
      const float part = 1 / total;
      const std::int64_t begin = (std::int64_t{1} * sequence * shape.length + at) * outWidth + head * shape.headWidth;
      MOE_UNROLL
      for (int n = 0; n < W / 8; ++n)
        out.putTwo(begin, n * 8 + column, shape.headWidth, mixed[m][n][2 * half] * part,
                   mixed[m][n][2 * half + 1] * part, pairs != 0);
    }
  }
};

/// Gradients of the keys and values of one tile, or of its queries: see `pass`.
template <int W>
struct AttendBackwardTiles {
  static constexpr int kThreads = 128;
  static constexpr const char* kName = "attention backward";
  static constexpr int kRows = 64, kColumns = W == 128 ? 32 : 64;
  static constexpr int kLineBytes = kColumns * 4;
  static constexpr int sharedBytes() { return SharedTile<W>::kRowBytes * (2 * kRows + 4 * kColumns) + 4 * kLineBytes; }

  const BFloat16 *planes, *dOut;
  const float *logSums, *deltas;
  const float* turns;  // (length, headWidth): cosines, then sines; null without rotary positions
  Twin dQkv;
  AttentionShape shape;
  float scale, scoreScale;  // log2(e) / sqrt(headWidth), 1 / sqrt(headWidth)
  int tiles, pairs;

  MOE_DEVICE void operator()() const {
    const int tile = block().x % tiles, unit = block().x / tiles;
    const int role = unit % (shape.kvHeads + shape.heads), sequence = unit / (shape.kvHeads + shape.heads);
    // Early keys and late queries have the longest ways; they begin first.
    if (role < shape.kvHeads) {
      pass<true>(sequence, role, tile * kRows);
    } else {
      pass<false>(sequence, role - shape.kvHeads, (tiles - 1 - tile) * kRows);
    }
  }

  /// Rows are keys and columns queries (kOfKeys), or the other way round. With the rows' planes R (keys or queries), S
  /// (values or gradients of outputs) and the columns' likewise, both directions are the same work:
  /// p = exp(R columnR^T), d = p * (S columnS^T - delta); gradient of R = d columnR; of the values = p columnS.
  template <bool kOfKeys>
  MOE_DEVICE void pass(int sequence, int head, int first) const {
    const int keyHead = kOfKeys ? head : head / shape.group();
    const BFloat16* const keyPlane = planes + shape.plane(sequence, shape.heads + keyHead);
    const BFloat16* const valuePlane = keyPlane + shape.kvHeads * shape.planeElements();
    const SharedTile<W> rowR{shared<BFloat16>()}, rowS{shared<BFloat16>(SharedTile<W>::kRowBytes * kRows)};
    if constexpr (kOfKeys) {
      rowR.ask(keyPlane, first, kRows, shape.length);
      rowS.ask(valuePlane, first, kRows, shape.length);
    } else {
      rowR.ask(planes + shape.plane(sequence, head), first, kRows, shape.length);
      rowS.ask(dOut + shape.outputPlane(sequence, head), first, kRows, shape.length);
    }
    // Keys: every later query of each head of the group, head by head. Queries: every earlier key.
    const int stepsOfHead =
        kOfKeys ? (shape.length - first + kColumns - 1) / kColumns
                : ((first + kRows < shape.length ? first + kRows : shape.length) + kColumns - 1) / kColumns;
    const int steps = kOfKeys ? stepsOfHead * shape.group() : stepsOfHead;
    const auto columnOf = [&](int step) { return kOfKeys ? first + step % stepsOfHead * kColumns : step * kColumns; };
    const auto tileOf = [&](int stage, int which) -> SharedTile<W> {
      return {shared<BFloat16>(SharedTile<W>::kRowBytes * (2 * kRows + (stage * 2 + which) * kColumns))};
    };
    const auto lineOf = [&](int stage, int which) {
      return shared<float>(SharedTile<W>::kRowBytes * (2 * kRows + 4 * kColumns) + (stage * 2 + which) * kLineBytes);
    };
    const auto ask = [&](int step) {
      const int stage = step % 2, at = columnOf(step);
      if constexpr (kOfKeys) {
        const int from = head * shape.group() + step / stepsOfHead;
        tileOf(stage, 0).ask(planes + shape.plane(sequence, from), at, kColumns, shape.length);
        tileOf(stage, 1).ask(dOut + shape.outputPlane(sequence, from), at, kColumns, shape.length);
        const int which = threadOfBlock() / (kColumns / 4), piece = threadOfBlock() % (kColumns / 4) * 4;
        if (which < 2)
          copyAsync16(lineOf(stage, which) + piece,
                      (which == 0 ? logSums : deltas) + shape.rowOf(sequence, from) + at + piece);
      } else {
        tileOf(stage, 0).ask(keyPlane, at, kColumns, shape.length);
        tileOf(stage, 1).ask(valuePlane, at, kColumns, shape.length);
      }
      commitCopies();
    };
    ask(0);

    const int warpRow = warp() * 16, row = first + warpRow + lane() / 4, column = lane() % 4 * 2;
    float gradient[W / 8][4] = {}, valueGradient[kOfKeys ? W / 8 : 1][4] = {};
    float rowLog[2] = {}, rowDelta[2] = {};
    if constexpr (!kOfKeys) {
      MOE_UNROLL
      for (int half = 0; half < 2; ++half) {
        rowLog[half] = logSums[shape.rowOf(sequence, head) + row + half * 8];
        rowDelta[half] = deltas[shape.rowOf(sequence, head) + row + half * 8];
      }
    }

    for (int step = 0; step < steps; ++step) {
      waitCopies<0>();
      sync();
      if (step + 1 < steps) ask(step + 1);
      const int at = columnOf(step), stage = step % 2;
      if (kOfKeys ? at + kColumns - 1 < first + warpRow : at > first + warpRow + 15) continue;  // all masked
      const SharedTile<W> columnR = tileOf(stage, 0), columnS = tileOf(stage, 1);

      float score[kColumns / 8][4] = {};
      multiplyRows(score, rowR, columnR, warpRow);
      const bool masked = kOfKeys ? at < first + warpRow + 15 : at + kColumns - 1 > first + warpRow;
      float change[kColumns / 8][4];
      MOE_UNROLL
      for (int n = 0; n < kColumns / 8; ++n) {
        Float2 logs{}, delta{};
        if constexpr (kOfKeys) {
          logs = *reinterpret_cast<const Float2*>(lineOf(stage, 0) + n * 8 + column);
          delta = *reinterpret_cast<const Float2*>(lineOf(stage, 1) + n * 8 + column);
        }
        MOE_UNROLL
        for (int i = 0; i < 4; ++i) {
          const float log = kOfKeys ? (i % 2 == 0 ? logs.x : logs.y) : rowLog[i / 2];
          change[n][i] = kOfKeys ? (i % 2 == 0 ? -delta.x : -delta.y) : -rowDelta[i / 2];
          const int mine = row + i / 2 * 8, other = at + n * 8 + column + i % 2;
          const bool sees = !masked || (kOfKeys ? mine <= other : other <= mine);
          score[n][i] = sees ? exp2f(fmaf(score[n][i], scale, -log)) : 0;
        }
      }
      if constexpr (kOfKeys) mixRows(valueGradient, score, columnS);
      multiplyRows(change, rowS, columnS, warpRow);
      MOE_UNROLL
      for (int n = 0; n < kColumns / 8; ++n) MOE_UNROLL
      for (int i = 0; i < 4; ++i) score[n][i] *= change[n][i];
      mixRows(gradient, score, columnR);
    }

    const int place = kOfKeys ? shape.heads + head : head;
    MOE_UNROLL
    for (int half = 0; half < 2; ++half) {
      const int at = row + half * 8;
      if (at >= shape.length) continue;
      const std::int64_t begin = (std::int64_t{1} * sequence * shape.length + at) * shape.qkvWidth() +
                                 std::int64_t{1} * place * shape.headWidth;
      if (turns != nullptr) {
        const float* const cosine = turns + std::int64_t{1} * at * shape.headWidth;
        const float* const sine = cosine + shape.half;
        MOE_UNROLL
        for (int n = 0; n < W / 16; ++n) {
          const int i = n * 8 + column;
          float one[2], two[2];
          MOE_UNROLL
          for (int c = 0; c < 2; ++c) {
            const float x = gradient[2 * n][2 * half + c] * scoreScale,
                        y = gradient[2 * n + 1][2 * half + c] * scoreScale;
            const bool inside = i + c < shape.half;
            const float cosineOf = inside ? cosine[i + c] : 0, sineOf = inside ? sine[i + c] : 0;
            one[c] = x * cosineOf + y * sineOf;
            two[c] = y * cosineOf - x * sineOf;
          }
          dQkv.putTwo(begin, i, shape.half, one[0], one[1], pairs != 0);
          dQkv.putTwo(begin + shape.half, i, shape.half, two[0], two[1], pairs != 0);
        }
      } else {
        MOE_UNROLL
        for (int n = 0; n < W / 8; ++n)
          dQkv.putTwo(begin, n * 8 + column, shape.headWidth, gradient[n][2 * half] * scoreScale,
                      gradient[n][2 * half + 1] * scoreScale, pairs != 0);
      }
      if constexpr (kOfKeys) {
        MOE_UNROLL
        for (int n = 0; n < W / 8; ++n)
          dQkv.putTwo(begin + std::int64_t{1} * shape.kvHeads * shape.headWidth, n * 8 + column, shape.headWidth,
                      valueGradient[n][2 * half], valueGradient[n][2 * half + 1], pairs != 0);
      }
    }
  }

  /// result += this warp's rows times the transposed columns.
  MOE_DEVICE void multiplyRows(float (&result)[kColumns / 8][4], SharedTile<W> rows, SharedTile<W> columns,
                               int warpRow) const {
    MOE_UNROLL
    for (int k = 0; k < W / 16; ++k) {
      std::uint32_t a[4];
      rows.left(a, warpRow, k * 16);
      MOE_UNROLL
      for (int n = 0; n < kColumns / 16; ++n) {
        std::uint32_t low[2], high[2];
        columns.rightTransposed(low, high, n * 16, k * 16);
        multiplyTile(result[2 * n], a, low);
        multiplyTile(result[2 * n + 1], a, high);
      }
    }
  }
  /// result += weights (16, kColumns) times the columns' rows.
  MOE_DEVICE void mixRows(float (&result)[W / 8][4], const float (&weights)[kColumns / 8][4],
                          SharedTile<W> columns) const {
    MOE_UNROLL
    for (int k = 0; k < kColumns / 16; ++k) {
      std::uint32_t a[4];
      packLeft(a, weights[2 * k], weights[2 * k + 1]);
      MOE_UNROLL
      for (int n = 0; n < W / 16; ++n) {
        std::uint32_t low[2], high[2];
        columns.right(low, high, k * 16, n * 16);
        multiplyTile(result[2 * n], a, low);
        multiplyTile(result[2 * n + 1], a, high);
      }
    }
  }
};

}  // namespace moe::cuda
