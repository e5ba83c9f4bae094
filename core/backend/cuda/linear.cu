#include "core/backend/cuda/column_sums.cuh"
#include "core/backend/cuda/cuda_backend.h"

namespace moe::cuda {
namespace {

struct AddBias {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "add bias";
  float* y;
  const float* bias;
  std::int64_t n;
  int outputs;
  MOE_DEVICE void operator()() const {
    for (std::int64_t i = globalThread(); i < n; i += globalThreads()) y[i] += bias[i % outputs];
  }
};

/// dBias = the sums of dy down its columns.
struct BiasGradient {
  static constexpr int kThreads = ColumnSums::kThreads;
  static constexpr const char* kName = "bias gradient";
  const float* dy;
  ColumnSums sums;
  MOE_DEVICE void operator()() const {
    const int column = sums.begin(block().x);
    float sum = 0;
    if (column < sums.width)
      for (std::int64_t row = sums.firstRow(); row < sums.endRow(); row += ColumnSums::kRowsAtOnce)
        sum += dy[row * sums.width + column];
    sums.finish(block().x, sum);
  }
};

}  // namespace

void CudaBackend::linear(const TensorView& y, const TensorView& x, const TensorView& weight, const TensorView& bias,
                         bool accumulate) {
  const auto timed = queue().time("linear");
  const std::int64_t outputs = weight.shape[0], inputs = weight.shape[1], rows = x.elements() / inputs;
  assert(x.elements() == rows * inputs && y.elements() == rows * outputs);
  assert(bias.empty() || bias.elements() == outputs);
  if (y.empty()) return;
  Product product{.rows = rows, .columns = outputs, .inner = inputs, .a = x.data, .b = weight.data, .c = at<float>(y),
                  .bTransposed = true, .accumulate = accumulate};
  if (bf16()) {
    product.dtype = DType::bf16;
    product.a = copies().reading(x);
    product.b = copies().reading(weight);
  }
  if (!accumulate) product.bias = at<float>(bias);
  written(y);
  queue().multiply(product);
  if (accumulate && !bias.empty())
    queue().launch<AddBias>({blocksFor(y.elements(), AddBias::kThreads)}, 0, at<float>(y), at<float>(bias), y.elements(),
                            static_cast<int>(outputs));
}

void CudaBackend::linearBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                                 const TensorView& dy, const TensorView& x, const TensorView& weight, bool accumulateDx,
                                 Gradients gradients) {
  const auto timed = queue().time("linear backward");
  const std::int64_t outputs = weight.shape[0], inputs = weight.shape[1], rows = dy.elements() / outputs;
  assert(dy.elements() == rows * outputs && x.elements() == rows * inputs);
  const bool add = gradients == Gradients::add;
  if (rows == 0) {
    for (const TensorView& gradient : {dWeight, dBias})
      if (!gradient.empty() && !add) fill(gradient, 0);
    return;
  }
  const auto operand = [&](const TensorView& view) -> const void* {
    return bf16() ? static_cast<const void*>(copies().reading(view)) : view.data;
  };
  const DType dtype = bf16() ? DType::bf16 : DType::f32;
  if (!dx.empty()) {
    const void *const left = operand(dy), *const right = operand(weight);
    written(dx);
    queue().multiply({.rows = rows, .columns = inputs, .inner = outputs, .a = left, .b = right, .c = at<float>(dx),
                      .dtype = dtype, .accumulate = accumulateDx});
  }
  if (!dWeight.empty()) {
    const void *const left = operand(dy), *const right = operand(x);
    written(dWeight);
    queue().multiply({.rows = outputs, .columns = inputs, .inner = rows, .a = left, .b = right, .c = at<float>(dWeight),
                      .dtype = dtype, .aTransposed = true, .accumulate = add});
  }
  if (!dBias.empty()) {
    written(dBias);
    Scratch::Frame room(scratch());
    const int chunks = ColumnSums::chunksFor(rows);
    queue().launch<BiasGradient>({ColumnSums::groupsFor(outputs), chunks}, ColumnSums::kSharedBytes, at<float>(dy),
                                 ColumnSums{.out = at<float>(dBias), .partial = room.take<float>(chunks * outputs),
                                            .counters = queue().counters(), .rows = rows,
                                            .width = static_cast<int>(outputs), .chunks = chunks, .add = add});
  }
}

}  // namespace moe::cuda
