#include "core/backend/cuda/column_sums.cuh"
#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/vectors.cuh"

namespace moe::cuda {
namespace {

constexpr int kRows = 4;  // of a block: a warp each

template <int kN>
struct NormForward {
  static constexpr int kThreads = kRows * kWarp;
  static constexpr const char* kName = "norm";
  float* y;
  BFloat16* copy;  // of y, or null
  float* statistics;
  const float *x, *weight, *bias;
  std::int64_t rows;
  int width;
  bool subtractsMean;
  float epsilon;

  MOE_DEVICE void operator()() const {
    const std::int64_t row = static_cast<std::int64_t>(block().x) * kRows + warp();
    if (row >= rows) return;
    const float* const in = x + row * width;
    float mean = 0, squares = 0;
    if (subtractsMean) {
      for (int i = lane() * kN; i < width; i += kWarp * kN) {
        const Numbers<kN> v = load<kN>(in + i);
        for (int j = 0; j < kN; ++j) mean += v.value[j];
      }
      mean = warpSum(mean) / static_cast<float>(width);
    }
    for (int i = lane() * kN; i < width; i += kWarp * kN) {
      const Numbers<kN> v = load<kN>(in + i);
      for (int j = 0; j < kN; ++j) squares += (v.value[j] - mean) * (v.value[j] - mean);
    }
    const float inverse = 1.0f / sqrtf(warpSum(squares) / static_cast<float>(width) + epsilon);
    if (lane() == 0) {
      statistics[2 * row] = mean;
      statistics[2 * row + 1] = inverse;
    }
    for (int i = lane() * kN; i < width; i += kWarp * kN) {
      Numbers<kN> v = load<kN>(in + i);
      const Numbers<kN> w = load<kN>(weight + i);
      for (int j = 0; j < kN; ++j) v.value[j] = w.value[j] * ((v.value[j] - mean) * inverse);
      if (bias != nullptr) {
        const Numbers<kN> b = load<kN>(bias + i);
        for (int j = 0; j < kN; ++j) v.value[j] += b.value[j];
      }
      store(y + row * width + i, v);
      if (copy != nullptr) store(copy + row * width + i, v);
    }
  }
};

/// With n = (x - mean) * inverse and g = dy * weight: dx += inverse * (g - mean(g) - n * mean(g * n)), where rms has no
/// mean(g). The first blocks do that, a warp a row; those behind them sum dy * n and dy down the columns.
template <int kN>
struct NormBackward {
  static constexpr int kThreads = ColumnSums::kThreads;
  static constexpr int kRowsOfBlock = kThreads / kWarp;
  static constexpr const char* kName = "norm backward";
  float* dx;
  const float *dy, *x, *statistics, *weight;
  std::int64_t rows;
  int width;
  bool subtractsMean;
  int rowBlocks;
  ColumnSums weightSums, biasSums;

  MOE_DEVICE void operator()() const {
    if (block().x < rowBlocks) return differentiateRow();
    const int column = weightSums.begin(block().x - rowBlocks);
    float dWeight = 0, dBias = 0;
    if (column < width)
      for (std::int64_t row = weightSums.firstRow(); row < weightSums.endRow(); row += ColumnSums::kRowsAtOnce) {
        const float d = dy[row * width + column];
        dWeight += d * ((x[row * width + column] - statistics[2 * row]) * statistics[2 * row + 1]);
        dBias += d;
      }
    weightSums.finish2(biasSums, block().x - rowBlocks, dWeight, dBias);
  }

  MOE_DEVICE void differentiateRow() const {
    const std::int64_t row = static_cast<std::int64_t>(block().y) * rowBlocks * kRowsOfBlock +
                             static_cast<std::int64_t>(block().x) * kRowsOfBlock + warp();
    if (row >= rows) return;
    const float *const in = x + row * width, *const out = dy + row * width;
    const float mean = statistics[2 * row], inverse = statistics[2 * row + 1];
    float meanOfG = 0, meanOfGN = 0;
    for (int i = lane() * kN; i < width; i += kWarp * kN) {
      const Numbers<kN> v = load<kN>(in + i), d = load<kN>(out + i), w = load<kN>(weight + i);
      for (int j = 0; j < kN; ++j) {
        const float g = d.value[j] * w.value[j];
        meanOfG += g;
        meanOfGN += g * ((v.value[j] - mean) * inverse);
      }
    }
    meanOfG = subtractsMean ? warpSum(meanOfG) / static_cast<float>(width) : 0;
    meanOfGN = warpSum(meanOfGN) / static_cast<float>(width);
    for (int i = lane() * kN; i < width; i += kWarp * kN) {
      const Numbers<kN> v = load<kN>(in + i), d = load<kN>(out + i), w = load<kN>(weight + i);
      Numbers<kN> to = load<kN>(dx + row * width + i);
      for (int j = 0; j < kN; ++j)
        to.value[j] += inverse * (d.value[j] * w.value[j] - meanOfG - (v.value[j] - mean) * inverse * meanOfGN);
      store(dx + row * width + i, to);
    }
  }
};

}  // namespace

void CudaBackend::norm(const TensorView& y, const TensorView& statistics, const TensorView& x, const TensorView& weight,
                       const TensorView& bias, NormKind kind, double epsilon) {
  const auto timed = queue().time("norm");
  const std::int64_t width = weight.elements(), rows = x.elements() / width;
  assert(y.elements() == x.elements() && x.elements() == rows * width && statistics.elements() == 2 * rows);
  if (rows == 0) return;
  written(y);
  written(statistics);
  BFloat16* const copy = bf16() ? copies().writing(y) : nullptr;
  const auto run = [&]<int kN>() {
    queue().launch<NormForward<kN>>({static_cast<int>((rows + kRows - 1) / kRows)}, 0, at<float>(y), copy,
                                    at<float>(statistics), at<float>(x), at<float>(weight), at<float>(bias), rows,
                                    static_cast<int>(width), kind == NormKind::layer, static_cast<float>(epsilon));
  };
  if (movesFours(width, at<float>(y), at<float>(x), at<float>(weight), at<float>(bias)))
    run.template operator()<4>();
  else
    run.template operator()<1>();
}

void CudaBackend::normBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                               const TensorView& dy, const TensorView& x, const TensorView& statistics,
                               const TensorView& weight, NormKind kind) {
  const auto timed = queue().time("norm backward");
  const std::int64_t width = weight.elements(), rows = x.elements() / width;
  assert(dy.elements() == x.elements() && dx.elements() == x.elements() && statistics.elements() == 2 * rows);
  if (rows == 0) return;
  for (const TensorView& view : {dx, dWeight, dBias}) written(view);
  Scratch::Frame room(scratch());
  const int chunks = ColumnSums::chunksFor(rows), groups = ColumnSums::groupsFor(width);
  const auto sumsOf = [&](const TensorView& out, int counter) {
    return ColumnSums{.out = at<float>(out), .partial = room.take<float>(chunks * width), .counters = queue().counters() + counter,
                      .rows = rows, .width = static_cast<int>(width), .chunks = chunks, .add = true};
  };
  const ColumnSums weightSums = sumsOf(dWeight, 0), biasSums = sumsOf(dBias, groups);
  const auto run = [&]<int kN>() {
    using Kernel = NormBackward<kN>;
    const std::int64_t rowBlocks = (rows + Kernel::kRowsOfBlock - 1) / Kernel::kRowsOfBlock;
    // The chunks are the grid's y; rows share them out.
    const auto across = static_cast<int>((rowBlocks + chunks - 1) / chunks);
    queue().launch<Kernel>({across + groups, chunks}, ColumnSums::kSharedBytes, at<float>(dx), at<float>(dy), at<float>(x),
                           at<float>(statistics), at<float>(weight), rows, static_cast<int>(width),
                           kind == NormKind::layer, across, weightSums, biasSums);
  };
  if (movesFours(width, at<float>(dx), at<float>(dy), at<float>(x), at<float>(weight)))
    run.template operator()<4>();
  else
    run.template operator()<1>();
}

}  // namespace moe::cuda
