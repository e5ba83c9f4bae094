#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/vectors.cuh"

namespace moe::cuda {
namespace {

/// A row of logits to its loss and, where asked, its gradient: kWarps of a block share a row.
template <int kWarps>
struct CrossEntropy {
  static constexpr int kThreads = 256;
  static constexpr int kRows = kThreads / kWarp / kWarps;
  static constexpr const char* kName = "cross-entropy";
  float *losses, *logits;
  BFloat16* copy;  // of the gradient, or null
  const std::int32_t* targets;
  const float* gradientScale;  // null: the logits keep their values
  std::int64_t rows;
  int vocabulary;

  /// Over the threads of a row.
  template <bool kLargest>
  MOE_DEVICE float together(float value, float* room) const {
    value = kLargest ? warpMax(value) : warpSum(value);
    if constexpr (kWarps > 1) {
      sync();
      if (lane() == 0) room[warp()] = value;
      sync();
      value = room[0];
      for (int w = 1; w < kWarps; ++w) value = kLargest ? fmaxf(value, room[w]) : value + room[w];
    }
    return value;
  }

  MOE_DEVICE void operator()() const {
    const std::int64_t row = static_cast<std::int64_t>(block().x) * kRows + warp() / kWarps;
    if (row >= rows) return;  // whole warps; with several warps a row, whole blocks
    float* const in = logits + row * vocabulary;
    BFloat16* const bf16 = copy == nullptr ? nullptr : copy + row * vocabulary;
    const int target = targets[row], first = threadOfBlock() % (kWarps * kWarp);
    constexpr int kStep = kWarps * kWarp;
    float* const room = shared<float>();
    if (target < 0) {
      if (first == 0) losses[row] = 0;
      if (gradientScale == nullptr) return;
      for (int i = first; i < vocabulary; i += kStep) {
        in[i] = 0;
        if (bf16 != nullptr) bf16[i] = toBf16(0);
      }
      return;
    }
    float largest = kNegativeInfinity, sum = 0;
    for (int i = first; i < vocabulary; i += kStep) largest = fmaxf(largest, in[i]);
    largest = together<true>(largest, room);
    for (int i = first; i < vocabulary; i += kStep) sum += expf(in[i] - largest);
    sum = together<false>(sum, room);
    if (first == 0) losses[row] = logf(sum) - (in[target] - largest);
    if (gradientScale == nullptr) return;
    if constexpr (kWarps > 1) sync();  // the target's logit was read
    else syncWarp();
    const float scale = *gradientScale, inverse = 1 / sum;
    for (int i = first; i < vocabulary; i += kStep) {
      const float gradient = scale * (expf(in[i] - largest) * inverse - (i == target ? 1.0f : 0.0f));
      in[i] = gradient;
      if (bf16 != nullptr) bf16[i] = toBf16(gradient);
    }
  }
};

}  // namespace

void CudaBackend::crossEntropy(const TensorView& losses, const TensorView& logits,
                               std::span<const std::int32_t> targets, double gradientScale) {
  const auto timed = queue().time("cross entropy");
  const std::int64_t rows = logits.shape[0], vocabulary = logits.shape[1];
  assert(rows == static_cast<std::int64_t>(targets.size()) && losses.elements() == rows);
  if (rows == 0) return;
  written(losses);
  const std::int32_t* const wanted = queue().constant(targets);
  const float* scale = nullptr;
  BFloat16* copy = nullptr;
  if (gradientScale != 0) {
    scale = queue().constant(static_cast<float>(gradientScale));
    written(logits);
    if (bf16()) copy = copies().writing(logits);
  }
  const auto run = [&]<int kWarps>() {
    using Kernel = CrossEntropy<kWarps>;
    queue().launch<Kernel>({static_cast<int>((rows + Kernel::kRows - 1) / Kernel::kRows)},
                           Kernel::kThreads / kWarp * static_cast<int>(sizeof(float)), at<float>(losses),
                           at<float>(logits), copy, wanted, scale, rows, static_cast<int>(vocabulary));
  };
  if (vocabulary <= 1024)
    run.template operator()<1>();
  else
    run.template operator()<8>();
}

}  // namespace moe::cuda
