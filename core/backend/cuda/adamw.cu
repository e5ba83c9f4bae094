#include <cmath>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/segments.cuh"
#include "core/backend/cuda/vectors.cuh"

namespace moe::cuda {
namespace {

struct Part {
  float *parameter, *m, *v;
  const float* gradient;
  BFloat16* copy;  // of the parameter, or null
  std::int64_t n;
  float kept;      // 1 - learning rate * weight decay
  std::int32_t movesFours;
};

struct Factors {
  float beta1, beta2, fresh1, fresh2, step, secondCorrection, epsilon;
};

/// Loshchilov and Hutter 2019, algorithm 2, over all parts at once. Bound by memory: 28 bytes a parameter.
struct AdamW {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "adamw";
  const Part* part;
  const Factors* factors;
  const double* update;  // {norm, scale}, or null: 1
  Chunks chunks;

  template <int kN>
  MOE_DEVICE void move(const Part& p, const Factors& f, float scale, std::int64_t begin, std::int64_t end) const {
    for (std::int64_t i = begin + static_cast<std::int64_t>(threadOfBlock()) * kN; i < end; i += kThreads * kN) {
      Numbers<kN> parameter = load<kN>(p.parameter + i), m = load<kN>(p.m + i), v = load<kN>(p.v + i);
      const Numbers<kN> gradient = load<kN>(p.gradient + i);
      for (int j = 0; j < kN; ++j) {
        const float g = scale * gradient.value[j];
        m.value[j] = f.beta1 * m.value[j] + f.fresh1 * g;
        v.value[j] = f.beta2 * v.value[j] + f.fresh2 * g * g;
        parameter.value[j] = p.kept * parameter.value[j] -
                             f.step * m.value[j] / (sqrtf(v.value[j] * f.secondCorrection) + f.epsilon);
      }
      store(p.parameter + i, parameter);
      store(p.m + i, m);
      store(p.v + i, v);
      if (p.copy != nullptr) store(p.copy + i, parameter);
    }
  }

  MOE_DEVICE void operator()() const {
    const float scale = update == nullptr ? 1.0f : static_cast<float>(update[1]);
    const int s = chunks.segmentOf(block().x);
    const Part p = part[s];
    const std::int64_t begin = chunks.begin(block().x, s);
    const std::int64_t end = begin + chunks.length < p.n ? begin + chunks.length : p.n;
    if (scale == 0) {
      // Nothing moves, and a copy that was stale is made good.
      if (p.copy != nullptr)
        for (std::int64_t i = begin + threadOfBlock(); i < end; i += kThreads) p.copy[i] = toBf16(p.parameter[i]);
      return;
    }
    const Factors f = *factors;
    if (p.movesFours != 0) move<4>(p, f, scale, begin, end);
    else move<1>(p, f, scale, begin, end);
  }
};

}  // namespace

void CudaBackend::adamw(std::span<const AdamWPart> parts, const AdamWSettings& settings, const TensorView& update) {
  const auto timed = queue().time("adamw");
  assert(settings.step >= 1);
  std::vector<Part> list;
  std::vector<std::int64_t> lengths;
  for (const AdamWPart& part : parts) {
    const std::int64_t n = part.parameter.elements();
    assert(part.m.elements() == n && part.v.elements() == n && part.gradient.elements() == n);
    for (const TensorView& view : {part.parameter, part.m, part.v}) written(view);
    Part p{at<float>(part.parameter), at<float>(part.m), at<float>(part.v), at<float>(part.gradient),
           bf16() ? copies().writing(part.parameter) : nullptr, n,
           static_cast<float>(1 - settings.learningRate * part.weightDecay), 0};
    p.movesFours = movesFours(n, p.parameter, p.m, p.v, p.gradient) ? 1 : 0;
    list.push_back(p);
    lengths.push_back(n);
  }
  const ChunkPlan plan = ChunkPlan::of(lengths);
  if (plan.chunks() == 0) return;
  const auto step = static_cast<double>(settings.step);
  const Factors factors{static_cast<float>(settings.beta1),
                        static_cast<float>(settings.beta2),
                        static_cast<float>(1 - settings.beta1),
                        static_cast<float>(1 - settings.beta2),
                        static_cast<float>(settings.learningRate / (1 - std::pow(settings.beta1, step))),
                        static_cast<float>(1 / (1 - std::pow(settings.beta2, step))),
                        static_cast<float>(settings.epsilon)};
  const Part* const there = queue().constant(std::span<const Part>(list));
  const Chunks chunks{queue().constant(std::span<const std::int32_t>(plan.firstChunk)), static_cast<int>(list.size()), plan.length};
  queue().launch<AdamW>({plan.chunks()}, 0, there, queue().constant(factors), static_cast<const double*>(at<double>(update)), chunks);
}

}  // namespace moe::cuda
