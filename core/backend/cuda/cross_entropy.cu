#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/vectors.cuh"

namespace moe::cuda {
namespace {

// With M the row's largest logit and s = sum exp(x - M): loss = log s - (x[target] - M), gradient = exp(x - M) / s -
// onehot. A NaN among the logits is one in the loss, as fmaxf passes it over and the sum does not.

/// A warp a row of up to 32 kItems logits, which its lanes keep.
template <int kItems>
struct CrossEntropyOfFew {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "cross entropy";
  float *losses, *logits;
  BFloat16* copy;
  const std::int32_t* targets;
  const float* scale;  // null: no gradient
  int rows, vocabulary;

  MOE_DEVICE void operator()() const {
    const int t = block().x * (kThreads / kWarp) + warp();
    if (t >= rows) return;
    const std::int64_t begin = static_cast<std::int64_t>(t) * vocabulary;
    float* const row = logits + begin;
    const int target = targets[t];
    float factor = 0, most = kNegativeInfinity, sum = 0;
    float x[kItems];
    if (target >= 0) {
      if (scale != nullptr) factor = *scale;
      MOE_UNROLL
      for (int k = 0; k < kItems; ++k) {
        const int i = k * kWarp + lane();
        x[k] = i < vocabulary ? row[i] : kNegativeInfinity;
        most = fmaxf(most, x[k]);
      }
      const float right = row[target];
      most = warpMax(most);
      MOE_UNROLL
      for (int k = 0; k < kItems; ++k) {
        if (k * kWarp + lane() >= vocabulary) continue;
        x[k] = expf(x[k] - most);
        sum += x[k];
      }
      sum = warpSum(sum);
      if (lane() == 0) losses[t] = logf(sum) - (right - most);
    } else if (lane() == 0) {
      losses[t] = 0;
    }
    if (scale == nullptr) return;
    syncWarp();  // who reads the target's logit has it
    MOE_UNROLL
    for (int k = 0; k < kItems; ++k) {
      const int i = k * kWarp + lane();
      if (i >= vocabulary) continue;
      const float gradient = target < 0 ? 0.0f : factor * (x[k] / sum - (i == target ? 1.0f : 0.0f));
      row[i] = gradient;
      if (copy != nullptr) copy[begin + i] = toBf16(gradient);
    }
  }
};

/// A block a row, read twice.
template <int kVector>
struct CrossEntropyOfMany {
  static constexpr int kThreads = 512;
  static constexpr int kAtOnce = kVector == 4 ? 4 : 8;  // vectors on their way together
  static constexpr int kSharedBytes = 2 * kThreads / kWarp * static_cast<int>(sizeof(float));
  static constexpr const char* kName = "cross entropy of many";
  float *losses, *logits;
  BFloat16* copy;
  const std::int32_t* targets;
  const float* scale;
  int vocabulary;

  MOE_DEVICE void operator()() const {
    const int t = block().x, target = targets[t];
    const std::int64_t begin = static_cast<std::int64_t>(t) * vocabulary;
    float* const row = logits + begin;
    if (target < 0) {
      if (threadOfBlock() == 0) losses[t] = 0;
      if (scale != nullptr) forEach([&](int i) { put(begin, i, {}); });
      return;
    }
    float most = kNegativeInfinity, sum = 0;
    for (int from = threadOfBlock() * kVector; from < vocabulary; from += kAtOnce * kThreads * kVector) {
      float x[kAtOnce][kVector];
      float found = kNegativeInfinity;
      MOE_UNROLL
      for (int k = 0; k < kAtOnce; ++k) {
        const int i = from + k * kThreads * kVector;
        if (i < vocabulary) load(x[k], row + i);
        MOE_UNROLL
        for (int j = 0; j < kVector; ++j) {
          if (i >= vocabulary) x[k][j] = kNegativeInfinity;
          found = fmaxf(found, x[k][j]);
        }
      }
      if (found > most) {
        sum *= expf(most - found);
        most = found;
      }
      MOE_UNROLL
      for (int k = 0; k < kAtOnce; ++k) {
        MOE_UNROLL
        for (int j = 0; j < kVector; ++j) sum += x[k][j] == kNegativeInfinity ? 0.0f : expf(x[k][j] - most);
      }
    }
    float* const room = shared<float>();
    const float right = row[target], largest = blockMax(most, room);
    const float total = blockSum(sum * expf(most - largest), room + kThreads / kWarp);
    if (threadOfBlock() == 0) losses[t] = logf(total) - (right - largest);
    if (scale == nullptr) return;
    sync();  // who reads the target's logit has it
    const float factor = *scale;
    forEach([&](int i) {
      float x[kVector];
      load(x, row + i);
      MOE_UNROLL
      for (int j = 0; j < kVector; ++j)
        x[j] = factor * (expf(x[j] - largest) / total - (i + j == target ? 1.0f : 0.0f));
      put(begin, i, x);
    });
  }

  template <class Do>
  MOE_DEVICE void forEach(Do&& act) const {
    for (int i = threadOfBlock() * kVector; i < vocabulary; i += kThreads * kVector) act(i);
  }
  MOE_DEVICE void put(std::int64_t begin, int i, const float (&gradient)[kVector]) const {
    store(logits + begin + i, gradient);
    if (copy != nullptr) store(copy + begin + i, gradient);
  }
};

}  // namespace

void CudaBackend::crossEntropy(const TensorView& losses, const TensorView& logits,
                               std::span<const std::int32_t> targets, double gradientScale) {
  const auto timed = queue().time("cross entropy");
  const std::int64_t vocabulary = logits.shape[1];
  assert(logits.shape[0] == static_cast<std::int64_t>(targets.size()) && losses.elements() == logits.shape[0]);
  if (logits.empty()) return;
  written(losses);
  BFloat16* copy = nullptr;
  if (gradientScale != 0) {
    written(logits);
    copy = copies().writing(logits);
  }
  float *const out = at<float>(losses), *const rows = at<float>(logits);
  const std::int32_t* const read = queue().constant(targets);
  const float* const scale = gradientScale != 0 ? queue().constant(static_cast<float>(gradientScale)) : nullptr;
  const auto tokens = static_cast<int>(targets.size()), words = static_cast<int>(vocabulary);
  const auto few = [&]<int kItems>() {
    queue().launch<CrossEntropyOfFew<kItems>>({(tokens + 7) / 8}, 0, out, rows, copy, read, scale, tokens, words);
  };
  const auto many = [&]<int kVector>() {
    using Kernel = CrossEntropyOfMany<kVector>;
    queue().launch<Kernel>({tokens}, Kernel::kSharedBytes, out, rows, copy, read, scale, words);
  };
  if (vocabulary <= 8 * kWarp) return few.operator()<8>();
  if (vocabulary <= 16 * kWarp) return few.operator()<16>();
  if (vocabulary <= 32 * kWarp) return few.operator()<32>();
  inFours(vocabulary, {rows}) ? many.operator()<4>() : many.operator()<1>();
}

}  // namespace moe::cuda
