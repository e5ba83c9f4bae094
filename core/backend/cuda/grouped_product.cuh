#pragma once
// Products of a bank of experts, each over the assignments that it admitted. How many there are is read on the device:
// grids are as large as they can get, and tiles beyond an expert's rows leave before their main loop. Rows are gathered
// by token while they are loaded: nothing is padded or copied.
//   rows     C[a, n] = sum_k A[row of a, k] W_e[n, k], or W_e[k, n] where the weights stand the other way
//   weights  C_e[m, n] = sum over e's assignments a: P[row of a, m] Q[row of a, n]
// Two bodies: bf16 on tensor tiles (128 x 128 x 32, four stages of copies under way) and f32 (64 x 64 x 16).
#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/dispatch_tables.h"

namespace moe::cuda {

/// A size or an offset that may depend on an expert's hidden width.
struct PerExpert {
  std::int64_t fixed = 0, perHidden = 0;
};

/// Hidden units of experts before e: (E + 1), device.
struct Bank {
  const std::int32_t* hiddenBegin;

  MOE_DEVICE int hidden(int e) const { return hiddenBegin[e + 1] - hiddenBegin[e]; }
  MOE_DEVICE int size(const PerExpert& p, int e) const { return static_cast<int>(p.fixed + p.perHidden * hidden(e)); }
  MOE_DEVICE std::int64_t offset(const PerExpert& p, int e) const { return p.fixed * e + p.perHidden * hiddenBegin[e]; }
};

/// Rows by assignment, or by its token.
template <class T>
struct RowTable {
  const T* data;
  std::int64_t stride;
  bool byToken;

  MOE_DEVICE const T* row(const DispatchView& dispatch, int a) const {
    std::int64_t index = a;
    if (byToken) index = dispatch.everyToken ? a % dispatch.tokens : dispatch.token[a];
    return data + index * stride;
  }
};

MOE_DEVICE int beginOf(const DispatchView& d, int e) { return d.everyToken ? e * d.tokens : d.expertBegin[e]; }
MOE_DEVICE int endOf(const DispatchView& d, int e) { return d.everyToken ? (e + 1) * d.tokens : d.admittedEnd[e]; }

/// Which expert's rows the index-th tile of kRows is, counted over all experts; false behind the last.
template <int kRows>
MOE_DEVICE bool findTile(const DispatchView& d, int index, int& expert, int& begin, int& end) {
  int before = 0;
  for (int base = 0; base < d.experts; base += kWarp) {
    const int e = base + lane();
    const int mine = e < d.experts ? (endOf(d, e) - beginOf(d, e) + kRows - 1) / kRows : 0;
    int upTo = mine;
    for (int by = 1; by < kWarp; by *= 2) {
      const int below = shuffleUp(upTo, by);
      if (lane() >= by) upTo += below;
    }
    const std::uint32_t beyond = ballot(before + upTo > index);
    if (beyond != 0) {
      int first = 0;
      while ((beyond >> first & 1) == 0) ++first;
      const int start = before + shuffle(upTo - mine, first);
      expert = base + first;
      begin = beginOf(d, expert) + (index - start) * kRows;
      end = endOf(d, expert);
      return true;
    }
    before += shuffle(upTo, kWarp - 1);
  }
  return false;
}

/// One product of the bank. `rows`: C is (assignments, cStride); else C is a bank of weights.
template <class T>
struct GroupedArguments {
  DispatchView dispatch;
  Bank bank;
  RowTable<T> left;     // A, or P
  RowTable<T> right;    // Q
  const T* weights;     // W
  PerExpert weightsAt;  // its offset, or C's
  PerExpert columns;    // n
  PerExpert inner;      // k; of weights: m
  float* c;
  std::int64_t cStride;
  bool add;
};

enum class GroupedKind { rows, rowsTransposed, weights };

// ------------------------------------------------------------------------------------------------------------- f32

template <GroupedKind kKind>
struct GroupedF32 {
  static constexpr int kThreads = 256, kTile = 64, kDepth = 16, kStride = kTile + 4;
  static constexpr int kRowsOfTile = kTile, kColumnsOfTile = kTile;
  static constexpr int kSharedBytes = 2 * kDepth * kStride * static_cast<int>(sizeof(float));
  static constexpr const char* kName =
      kKind == GroupedKind::weights ? "experts' weight gradients, f32" : "experts' product, f32";
  using T = float;
  GroupedArguments<float> in;

  MOE_DEVICE void operator()() const {
    float *const left = shared<float>(), *const right = left + kDepth * kStride;
    int e = 0, first = 0, end = 0;
    const int n0 = block().x * kTile;
    if constexpr (kKind == GroupedKind::weights)
      e = block().z;
    else if (!findTile<kTile>(in.dispatch, block().y, e, first, end))
      return;
    const int columns = in.bank.size(in.columns, e);
    const int outer = kKind == GroupedKind::weights ? in.bank.size(in.inner, e) : 0;
    const int m0 = block().y * kTile;
    if (n0 >= columns || (kKind == GroupedKind::weights && m0 >= outer)) return;
    const int k0 = kKind == GroupedKind::weights ? beginOf(in.dispatch, e) : 0;
    const int kEnd = kKind == GroupedKind::weights ? endOf(in.dispatch, e) : in.bank.size(in.inner, e);
    const float* const w = kKind == GroupedKind::weights ? nullptr : in.weights + in.bank.offset(in.weightsAt, e);
    const int tm = threadOfBlock() / 16 * 4, tn = threadOfBlock() % 16 * 4;
    float sum[4][4] = {};
    for (int k = k0; k < kEnd; k += kDepth) {
      sync();
      MOE_UNROLL for (int i = 0; i < kTile * kDepth / kThreads; ++i) {
        const int index = threadOfBlock() + i * kThreads;
        if constexpr (kKind == GroupedKind::weights) {
          const int depth = index / kTile, column = index % kTile;
          const bool there = k + depth < kEnd;
          left[depth * kStride + column] =
              there && m0 + column < outer ? in.left.row(in.dispatch, k + depth)[m0 + column] : 0;
          right[depth * kStride + column] =
              there && n0 + column < columns ? in.right.row(in.dispatch, k + depth)[n0 + column] : 0;
        } else {
          const int row = index / kDepth, depth = index % kDepth;
          const bool there = k + depth < kEnd;
          left[depth * kStride + row] =
              there && first + row < end ? in.left.row(in.dispatch, first + row)[k + depth] : 0;
          if constexpr (kKind == GroupedKind::rows) {
            right[depth * kStride + row] =
                there && n0 + row < columns ? w[static_cast<std::int64_t>(n0 + row) * kEnd + k + depth] : 0;
          } else {
            const int d = index / kTile, column = index % kTile;
            right[d * kStride + column] =
                k + d < kEnd && n0 + column < columns ? w[static_cast<std::int64_t>(k + d) * columns + n0 + column] : 0;
          }
        }
      }
      sync();
      MOE_UNROLL for (int depth = 0; depth < kDepth; ++depth) {
        const Float4 a = *reinterpret_cast<const Float4*>(left + depth * kStride + tm);
        const Float4 b = *reinterpret_cast<const Float4*>(right + depth * kStride + tn);
        const float av[4] = {a.x, a.y, a.z, a.w}, bv[4] = {b.x, b.y, b.z, b.w};
        MOE_UNROLL for (int i = 0; i < 4; ++i) MOE_UNROLL for (int j = 0; j < 4; ++j) sum[i][j] += av[i] * bv[j];
      }
    }
    for (int i = 0; i < 4; ++i) {
      const bool inside = kKind == GroupedKind::weights ? m0 + tm + i < outer : first + tm + i < end;
      if (!inside) continue;
      float* const row = kKind == GroupedKind::weights
                             ? in.c + in.bank.offset(in.weightsAt, e) + static_cast<std::int64_t>(m0 + tm + i) * columns
                             : in.c + (first + tm + i) * in.cStride;
      for (int j = 0; j < 4; ++j)
        if (n0 + tn + j < columns) row[n0 + tn + j] = sum[i][j] + (in.add ? row[n0 + tn + j] : 0);
    }
  }
};

// ------------------------------------------------------------------------------------------------------------ bf16

/// Sizes and strides are multiples of 8.
template <GroupedKind kKind>
struct GroupedBf16 {
  static constexpr int kThreads = 256, kTile = 128, kDepth = 32, kStages = 4;
  static constexpr int kRowsOfTile = kTile, kColumnsOfTile = kTile;
  static constexpr int kOperand = kTile * kDepth;  // numbers of one stage of one operand
  static constexpr int kSharedBytes = 2 * kStages * kOperand * static_cast<int>(sizeof(BFloat16));
  static constexpr const char* kName =
      kKind == GroupedKind::weights ? "experts' weight gradients, bf16" : "experts' product, bf16";
  static constexpr bool kLeftDeep = kKind != GroupedKind::weights;  // stands as (rows, depth), else (depth, rows)
  static constexpr bool kRightDeep = kKind == GroupedKind::rows;
  using T = BFloat16;
  GroupedArguments<BFloat16> in;

  /// Where 16 bytes of a tile lie: pieces are shuffled within a row so that eight rows read at once meet no conflict.
  template <bool kDeep>
  MOE_DEVICE static int place(int row, int piece) {
    return kDeep ? row * kDepth + (piece ^ (row >> 1 & 3)) * 8 : row * kTile + (piece ^ (row & 7)) * 8;
  }

  MOE_DEVICE void operator()() const {
    BFloat16 *const left = shared<BFloat16>(), *const right = left + kStages * kOperand;
    int e = 0, first = 0, end = 0;
    const int n0 = block().x * kTile;
    if constexpr (kKind == GroupedKind::weights)
      e = block().z;
    else if (!findTile<kTile>(in.dispatch, block().y, e, first, end))
      return;
    const int columns = in.bank.size(in.columns, e);
    const int outer = kKind == GroupedKind::weights ? in.bank.size(in.inner, e) : 0;
    const int m0 = block().y * kTile;
    if (n0 >= columns || (kKind == GroupedKind::weights && m0 >= outer)) return;
    const int k0 = kKind == GroupedKind::weights ? beginOf(in.dispatch, e) : 0;
    const int kEnd = kKind == GroupedKind::weights ? endOf(in.dispatch, e) : in.bank.size(in.inner, e);
    const BFloat16* const w = kKind == GroupedKind::weights ? nullptr : in.weights + in.bank.offset(in.weightsAt, e);

    // Each thread moves two pieces of 8 numbers of each operand a stage: rows of a deep tile stay the same.
    const BFloat16* leftRow[2] = {};
    bool leftThere[2] = {};
    if constexpr (kLeftDeep) MOE_UNROLL for (int i = 0; i < 2; ++i) {
        const int row = threadOfBlock() / 4 + i * 64;
        leftThere[i] = first + row < end;
        leftRow[i] = leftThere[i] ? in.left.row(in.dispatch, first + row) : in.left.data;
      }
    const auto stage = [&](int slot, int k) {
      MOE_UNROLL for (int i = 0; i < 2; ++i) {
        if constexpr (kLeftDeep) {
          const int row = threadOfBlock() / 4 + i * 64, piece = threadOfBlock() % 4;
          const bool there = leftThere[i] && k + piece * 8 < kEnd;
          copyAsync16(left + slot * kOperand + place<true>(row, piece),
                      there ? leftRow[i] + k + piece * 8 : in.left.data, there);
        } else {
          const int depth = threadOfBlock() / 16 + i * 16, piece = threadOfBlock() % 16;
          const bool there = k + depth < kEnd && m0 + piece * 8 < outer;
          copyAsync16(left + slot * kOperand + place<false>(depth, piece),
                      there ? in.left.row(in.dispatch, k + depth) + m0 + piece * 8 : in.left.data, there);
        }
        if constexpr (kRightDeep) {
          const int row = threadOfBlock() / 4 + i * 64, piece = threadOfBlock() % 4;
          const bool there = n0 + row < columns && k + piece * 8 < kEnd;
          copyAsync16(right + slot * kOperand + place<true>(row, piece),
                      there ? w + static_cast<std::int64_t>(n0 + row) * kEnd + k + piece * 8 : w, there);
        } else {
          const int depth = threadOfBlock() / 16 + i * 16, piece = threadOfBlock() % 16;
          const bool there = k + depth < kEnd && n0 + piece * 8 < columns;
          const BFloat16* from = kKind == GroupedKind::weights ? in.right.data : w;
          if (there)
            from = kKind == GroupedKind::weights ? in.right.row(in.dispatch, k + depth) + n0 + piece * 8
                                                 : w + static_cast<std::int64_t>(k + depth) * columns + n0 + piece * 8;
          copyAsync16(right + slot * kOperand + place<false>(depth, piece), from, there);
        }
      }
      commitCopies();
    };

    float sum[4][4][4] = {};
    const int wm = warp() / 4 * 64, wn = warp() % 4 * 32;
    const int steps = kEnd > k0 ? (kEnd - k0 + kDepth - 1) / kDepth : 0;
    MOE_UNROLL for (int s = 0; s < kStages - 1; ++s) {
      if (s < steps)
        stage(s, k0 + s * kDepth);
      else
        commitCopies();
    }
    for (int step = 0; step < steps; ++step) {
      waitCopies<kStages - 2>();
      sync();
      const int ahead = step + kStages - 1;
      if (ahead < steps)
        stage(ahead % kStages, k0 + ahead * kDepth);
      else
        commitCopies();
      const BFloat16 *const a = left + step % kStages * kOperand, *const b = right + step % kStages * kOperand;
      MOE_UNROLL for (int half = 0; half < 2; ++half) {
        std::uint32_t fa[4][4], fb[2][4];
        MOE_UNROLL for (int i = 0; i < 4; ++i) {
          if constexpr (kLeftDeep)
            loadMatrix4(fa[i], a + place<true>(wm + i * 16 + lane() % 16, half * 2 + lane() / 16));
          else
            loadMatrix4Transposed(
                fa[i], a + place<false>(half * 16 + lane() % 8 + lane() / 16 * 8, (wm + i * 16) / 8 + lane() / 8 % 2));
        }
        MOE_UNROLL for (int j = 0; j < 2; ++j) {
          if constexpr (kRightDeep)
            loadMatrix4(fb[j], b + place<true>(wn + j * 16 + lane() % 8 + lane() / 16 * 8, half * 2 + lane() / 8 % 2));
          else
            loadMatrix4Transposed(fb[j], b + place<false>(half * 16 + lane() % 16, (wn + j * 16) / 8 + lane() / 16));
        }
        MOE_UNROLL for (int i = 0; i < 4; ++i) MOE_UNROLL for (int j = 0; j < 4; ++j) {
          const std::uint32_t pair[2] = {fb[j / 2][j % 2 * 2], fb[j / 2][j % 2 * 2 + 1]};
          multiplyTile(sum[i][j], fa[i], pair);
        }
      }
    }
    waitCopies<0>();

    MOE_UNROLL for (int i = 0; i < 4; ++i) MOE_UNROLL for (int part = 0; part < 2; ++part) {
      const int m = wm + i * 16 + part * 8 + lane() / 4;
      const bool inside = kKind == GroupedKind::weights ? m0 + m < outer : first + m < end;
      if (!inside) continue;
      float* const row = kKind == GroupedKind::weights
                             ? in.c + in.bank.offset(in.weightsAt, e) + static_cast<std::int64_t>(m0 + m) * columns
                             : in.c + (first + m) * in.cStride;
      MOE_UNROLL for (int j = 0; j < 4; ++j) {
        const int n = n0 + wn + j * 8 + lane() % 4 * 2;
        if (n >= columns) continue;
        MOE_UNROLL for (int q = 0; q < 2; ++q) row[n + q] = sum[i][j][part * 2 + q] + (in.add ? row[n + q] : 0);
      }
    }
  }
};

}  // namespace moe::cuda
