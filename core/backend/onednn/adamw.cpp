// Bound by memory, 58 to 76 GB/s outside the caches, where only reading reaches 63 to 110: 4 f32 read and 3 written a
// parameter, 28 bytes for some 15 operations. In bf16 2 bytes more: the copy that products read is written here.
#include <cmath>

#include "core/backend/onednn/bf16_rows.h"
#include "core/backend/onednn/gemm.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/base/vectorised.h"

namespace moe {
namespace {

struct AdamWFactors {
  float gradient, beta1, beta2, fresh1, fresh2, step, secondCorrection, epsilon, kept = 1;
};

SWITCHYARD_VECTORISED void adamwRange(float* p, float* m, float* v, const float* gradient, const AdamWFactors f,
                                      std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const float g = f.gradient * gradient[i];
    const float first = f.beta1 * m[i] + f.fresh1 * g, second = f.beta2 * v[i] + f.fresh2 * g * g;
    m[i] = first;
    v[i] = second;
    p[i] = f.kept * p[i] - f.step * first / (__builtin_sqrtf(second * f.secondCorrection) + f.epsilon);
  }
}

SWITCHYARD_VECTORISED double squares(const float* x, std::int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return sum;
}

}  // namespace

void OnednnBackend::sumOfSquares(const TensorView& out, std::span<const TensorView> in) {
  const auto timed = timer_.time("sum of squares");
  assert(out.elements() == static_cast<std::int64_t>(in.size()));
  // Fixed blocks, so that the sum is the same whatever the number of threads.
  constexpr std::int64_t kBlock = 65536;
  for (std::size_t i = 0; i < in.size(); ++i) {
    const float* const values = in[i].as<float>();
    const std::int64_t n = in[i].elements(), blocks = (n + kBlock - 1) / kBlock;
    partialSums_.resize(static_cast<std::size_t>(blocks));
#pragma omp parallel for num_threads(threadsFor(n)) schedule(static)
    for (std::int64_t block = 0; block < blocks; ++block)
      partialSums_[static_cast<std::size_t>(block)] =
          squares(values + block * kBlock, std::min(kBlock, n - block * kBlock));
    double sum = 0;
    for (const double part : partialSums_) sum += part;
    out.as<double>()[i] = sum;
  }
}

// Loshchilov and Hutter 2019, algorithm 2.
void OnednnBackend::adamw(std::span<const AdamWPart> parts, const AdamWSettings& settings, const TensorView& update) {
  const auto timed = timer_.time("adamw");
  assert(settings.step >= 1);
  const double scale = gradientScale(update);
  if (scale == 0) return;
  const auto step = static_cast<double>(settings.step);
  AdamWFactors factors{.gradient = static_cast<float>(scale),
                       .beta1 = static_cast<float>(settings.beta1),
                       .beta2 = static_cast<float>(settings.beta2),
                       .fresh1 = static_cast<float>(1 - settings.beta1),
                       .fresh2 = static_cast<float>(1 - settings.beta2),
                       .step = static_cast<float>(settings.learningRate / (1 - std::pow(settings.beta1, step))),
                       .secondCorrection = static_cast<float>(1 / (1 - std::pow(settings.beta2, step))),
                       .epsilon = static_cast<float>(settings.epsilon)};
  for (const AdamWPart& part : parts) {
    factors.kept = static_cast<float>(1 - settings.learningRate * part.weightDecay);
    const std::int64_t n = part.parameter.elements();
    assert(part.m.elements() == n && part.v.elements() == n && part.gradient.elements() == n);
    float *const p = part.parameter.as<float>(), *const m = part.m.as<float>(), *const v = part.v.as<float>();
    const float* const gradient = part.gradient.as<float>();
    const int threads = threadsFor(n);
    BFloat16* const narrow = bf16_ ? bf16_->weights->refreshed(part.parameter) : nullptr;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int share = 0; share < threads; ++share) {
      const Range range = partOf(n, threads, share);
      constexpr std::int64_t kBlock = 2048;  // what was just written is rounded while it is in L1
      for (std::int64_t begin = range.begin; begin < range.end; begin += kBlock) {
        const std::int64_t count = std::min(kBlock, range.end - begin);
        adamwRange(p + begin, m + begin, v + begin, gradient + begin, factors, count);
        if (narrow) toBf16(narrow + begin, p + begin, count);
      }
    }
  }
}

}  // namespace moe
