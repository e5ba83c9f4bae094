#include <algorithm>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/vectors.cuh"

namespace moe::cuda {
namespace {

/// y (rows, width) += bias.
struct AddBias {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "add bias";
  float* y;
  const float* bias;
  std::int64_t rows;
  int width;
  MOE_DEVICE void operator()() const {
    for (std::int64_t row = block().x; row < rows; row += blocks().x)
      for (int i = threadOfBlock(); i < width; i += kThreads) y[row * width + i] += bias[i];
  }
};

/// out (width) = the sum over the rows of `in`, or added. Blocks of a stretch of columns share the rows; the last adds
/// them up.
template <int kVector>
struct SumColumns {
  static constexpr int kThreads = 256;
  static constexpr int kColumns = kWarp * kVector;  // of a block
  static constexpr const char* kName = "sum columns";
  float* out;
  const float* in;
  float* partials;  // (blocks().x, width)
  int* counters;
  std::int64_t rows, rowsOfBlock;
  int width, add;

  MOE_DEVICE void operator()() const {
    float* const room = shared<float>();
    const int from = block().y * kColumns, columns = width - from < kColumns ? width - from : kColumns;
    const std::int64_t first = block().x * rowsOfBlock, left = rows - first;
    const int mine = static_cast<int>(left < rowsOfBlock ? left : rowsOfBlock);
    const auto finish = [&](int i, const float(&sum)[kVector]) {
      float values[kVector];
      clear(values);
      if (add) load(values, out + from + i);
      addTo(values, sum);
      store(out + from + i, values);
    };
    const auto row = [&](int r) { return in + (first + r) * width + from; };
    if (blocks().x == 1) return sumRows<kVector, kThreads>(mine, columns, room, row, finish);
    const auto partial = [&](int r) { return partials + static_cast<std::int64_t>(r) * width + from; };
    float* const to = partial(block().x);
    sumRows<kVector, kThreads>(mine, columns, room, row,
                               [&](int i, const float(&sum)[kVector]) { store(to + i, sum); });
    if (!arrivedLast(counters + block().y, blocks().x)) return;
    sumRows<kVector, kThreads>(blocks().x, columns, room, partial, finish);
  }
};

}  // namespace

void CudaBackend::linear(const TensorView& y, const TensorView& x, const TensorView& weight, const TensorView& bias,
                         bool accumulate) {
  const auto timed = queue().time("linear");
  const std::int64_t outputs = weight.shape[0], inputs = weight.shape[1], rows = x.elements() / inputs;
  assert(x.elements() == rows * inputs && y.elements() == rows * outputs);
  assert(bias.empty() || bias.elements() == outputs);
  if (rows == 0) return;
  written(y);
  Product product{.rows = rows, .columns = outputs, .inner = inputs, .bTransposed = true, .accumulate = accumulate};
  if (bf16()) {
    product.dtype = DType::bf16;
    product.a = copies().reading(x);
    product.b = copies().reading(weight);
  } else {
    product.a = at<float>(x);
    product.b = at<float>(weight);
  }
  product.c = at<float>(y);
  const float* const shift = at<float>(bias);
  const bool within = !accumulate && reinterpret_cast<std::uintptr_t>(shift) % 16 == 0;  // as cuBLASLt reads it
  if (within) product.bias = shift;
  queue().multiply(product);
  if (shift == nullptr || within) return;
  queue().launch<AddBias>({blocksFor(rows, 1)}, 0, product.c, shift, rows, static_cast<int>(outputs));
}

void CudaBackend::linearBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                                 const TensorView& dy, const TensorView& x, const TensorView& weight, bool accumulateDx,
                                 Gradients gradients) {
  const auto timed = queue().time("linear backward");
  const std::int64_t outputs = weight.shape[0], inputs = weight.shape[1], rows = dy.elements() / outputs;
  assert(dy.elements() == rows * outputs && x.elements() == rows * inputs);
  assert(dx.empty() || dx.elements() == rows * inputs);
  assert(dWeight.empty() || dWeight.elements() == outputs * inputs);
  assert(dBias.empty() || dBias.elements() == outputs);
  const bool add = gradients == Gradients::add;
  for (const TensorView* out : {&dx, &dWeight, &dBias})
    if (!out->empty()) written(*out);
  if (rows == 0) {
    if (!add && !dWeight.empty()) queue().clear(dWeight.data, dWeight.bytes());
    if (!add && !dBias.empty()) queue().clear(dBias.data, dBias.bytes());
    return;
  }
  const DType type = bf16() ? DType::bf16 : DType::f32;
  const auto operand = [&](const TensorView& view) -> const void* {
    return bf16() ? static_cast<const void*>(copies().reading(view)) : view.data;
  };
  if (!dx.empty())
    queue().multiply({.rows = rows,
                      .columns = inputs,
                      .inner = outputs,
                      .a = operand(dy),
                      .b = operand(weight),
                      .c = at<float>(dx),
                      .dtype = type,
                      .accumulate = accumulateDx});
  if (!dWeight.empty())
    queue().multiply({.rows = outputs,
                      .columns = inputs,
                      .inner = rows,
                      .a = operand(dy),
                      .b = operand(x),
                      .c = at<float>(dWeight),
                      .dtype = type,
                      .aTransposed = true,
                      .accumulate = add});
  if (dBias.empty()) return;
  float* const out = at<float>(dBias);
  const float* const in = at<float>(dy);
  const auto launch = [&]<int kVector>() {
    using Kernel = SumColumns<kVector>;
    const auto stretches = static_cast<int>((outputs + Kernel::kColumns - 1) / Kernel::kColumns);
    const std::int64_t wanted = std::max(4 * queue().multiprocessors() / stretches, 1);
    const std::int64_t rowsOfBlock = std::max<std::int64_t>((rows + wanted - 1) / wanted, 64);
    const std::int64_t shares = (rows + rowsOfBlock - 1) / rowsOfBlock;
    Scratch::Frame frame(scratch());
    float* const partials = frame.take<float>(shares * outputs);
    queue().launch<Kernel>({static_cast<int>(shares), stretches}, kSumRowsBytes<kVector, Kernel::kThreads>, out, in,
                           partials, queue().counters(), rows, rowsOfBlock, static_cast<int>(outputs),
                           static_cast<int>(add));
  };
  inFours(outputs, {out, in}) ? launch.operator()<4>() : launch.operator()<1>();
}

void CudaBackend::exactLinear(const TensorView& y, const TensorView& x, const TensorView& weight,
                              const TensorView& bias) {
  exact_ = true;
  linear(y, x, weight, bias, false);
  exact_ = false;
}

void CudaBackend::exactLinearBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                                      const TensorView& dy, const TensorView& x, const TensorView& weight) {
  exact_ = true;
  linearBackward(dx, dWeight, dBias, dy, x, weight, true, Gradients::add);
  exact_ = false;
}

}  // namespace moe::cuda
