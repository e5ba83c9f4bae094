// Bound by memory: a weight is read once for one to four multiply-adds. One row of the weight at a time, in the order
// in which they lie: one stream, which the processor's own prefetching follows furthest, where four rows side by side
// got two thirds of its speed. 42 to 45 GB/s where both cores generate, of some 80 that memory gives in a quiet hour.
#include "core/backend/onednn/few_rows.h"

#include "core/base/vectorised.h"

namespace moe {
namespace {

constexpr std::int64_t kLanes = 16, kAhead = 4096;  // f32; bytes to prefetch ahead: the next page or two

/// One AVX-512 register; two or four of those of older instruction sets. Loaded from anywhere.
typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float)), may_alias));

SWITCHYARD_INLINE Lanes load(const float* from) { return *reinterpret_cast<const Lanes*>(from); }

SWITCHYARD_INLINE float sumOf(const Lanes& lanes) {
  float eight[8], four[4];
  for (int i = 0; i < 8; ++i) eight[i] = lanes[i] + lanes[i + 8];
  for (int i = 0; i < 4; ++i) four[i] = eight[i] + eight[i + 4];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

struct Product {
  float* y;
  std::int64_t ldy;
  const float* x;
  std::int64_t ldx;
  const float* weight;
  std::int64_t ldw, outputs, inputs;
  bool accumulate;
};

/// kRows * kAside sums side by side hide the latency of an addition.
template <int kRows, int kAside>
SWITCHYARD_INLINE void multiply(const Product& p) {
  for (std::int64_t o = 0; o < p.outputs; ++o) {
    const float* const w = p.weight + o * p.ldw;
    Lanes sums[kRows][kAside] = {};
    std::int64_t i = 0;
    for (; i + kAside * kLanes <= p.inputs; i += kAside * kLanes)
      for (int aside = 0; aside < kAside; ++aside) {
        const std::int64_t at = i + aside * kLanes;
        __builtin_prefetch(reinterpret_cast<const char*>(w + at) + kAhead);
        const Lanes weights = load(w + at);
        for (int row = 0; row < kRows; ++row) sums[row][aside] += weights * load(p.x + row * p.ldx + at);
      }
    for (; i + kLanes <= p.inputs; i += kLanes)
      for (int row = 0; row < kRows; ++row) sums[row][0] += load(w + i) * load(p.x + row * p.ldx + i);
    for (int row = 0; row < kRows; ++row) {
      for (int aside = 1; aside < kAside; ++aside) sums[row][0] += sums[row][aside];
      float sum = sumOf(sums[row][0]);
      for (std::int64_t rest = i; rest < p.inputs; ++rest) sum += w[rest] * p.x[row * p.ldx + rest];
      float& to = p.y[row * p.ldy + o];
      to = p.accumulate ? to + sum : sum;
    }
  }
}

SWITCHYARD_VECTORISED void oneRow(const Product& p) { multiply<1, 4>(p); }
SWITCHYARD_VECTORISED void twoRows(const Product& p) { multiply<2, 2>(p); }
SWITCHYARD_VECTORISED void threeRows(const Product& p) { multiply<3, 2>(p); }
SWITCHYARD_VECTORISED void fourRows(const Product& p) { multiply<4, 1>(p); }

}  // namespace

void fewRowsTimesWeight(float* y, std::int64_t ldy, const float* x, std::int64_t ldx, const float* weight,
                        std::int64_t ldw, std::int64_t rows, std::int64_t outputs, std::int64_t inputs,
                        bool accumulate) {
  const Product product{y, ldy, x, ldx, weight, ldw, outputs, inputs, accumulate};
  (rows == 1 ? oneRow : rows == 2 ? twoRows : rows == 3 ? threeRows : fourRows)(product);
}

}  // namespace moe
