#include <algorithm>
#include <cmath>
#include <vector>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/segments.cuh"
#include "core/backend/cuda/vectors.cuh"

namespace moe::cuda {
namespace {

/// One part. Chunks never span two.
struct AdamWSegment {
  float *parameter, *m, *v;
  const float* gradient;
  BFloat16* copy;  // or null
  std::int64_t elements;
  std::int32_t firstChunk;
  std::int32_t fours;  // all addresses can be read four at a time
  float kept;          // of the parameter, after its decay
  std::int32_t unused;
};

/// p = kept p - step m / (sqrt(v secondCorrection) + epsilon)
struct AdamWFactors {
  float beta1, fresh1, beta2, fresh2, step, secondCorrection, epsilon;
};

struct AdamW {
  static constexpr int kThreads = 256;
  static constexpr int kFours = 2;  // on their way together
  static constexpr int kChunk = kThreads * 4 * kFours;
  static constexpr const char* kName = "adamw";
  const AdamWSegment* segments;
  const AdamWFactors* factors;
  const double* update;  // null: gradients as they are
  int count, chunks;

  MOE_DEVICE void operator()() const {
    const AdamWFactors f = *factors;
    const float scale = update != nullptr ? static_cast<float>(update[1]) : 1.0f;
    const auto share = [&](int part) {
      return static_cast<int>(static_cast<std::int64_t>(chunks) * part / blocks().x);
    };
    const int end = share(block().x + 1);
    int chunk = share(block().x), index = segmentOf(segments, count, chunk, shared<int>());
    for (; chunk < end; ++chunk) {
      while (index + 1 < count && segments[index + 1].firstChunk <= chunk) ++index;
      const AdamWSegment s = segments[index];
      const std::int64_t begin = static_cast<std::int64_t>(chunk - s.firstChunk) * kChunk;
      const auto left = static_cast<int>(s.elements - begin < kChunk ? s.elements - begin : kChunk);
      if (scale == 0) {  // the parameters stay, but their copies may be out of date
        for (int i = threadOfBlock(); s.copy != nullptr && i < left; i += kThreads)
          s.copy[begin + i] = toBf16(s.parameter[begin + i]);
      } else if (s.fours) {
        moveFours(s, f, scale, begin, left);
      } else {
        for (int i = threadOfBlock(); i < left; i += kThreads) moveOne(s, f, scale, begin + i);
      }
    }
  }

  MOE_DEVICE static void move(const AdamWSegment& s, const AdamWFactors& f, float g, float& p, float& m, float& v) {
    m = f.beta1 * m + f.fresh1 * g;
    v = f.beta2 * v + f.fresh2 * g * g;
    p = s.kept * p - f.step * m / (sqrtf(v * f.secondCorrection) + f.epsilon);
  }

  MOE_DEVICE static void moveOne(const AdamWSegment& s, const AdamWFactors& f, float scale, std::int64_t i) {
    float p = s.parameter[i], m = s.m[i], v = s.v[i];
    move(s, f, scale * s.gradient[i], p, m, v);
    s.parameter[i] = p, s.m[i] = m, s.v[i] = v;
    if (s.copy != nullptr) s.copy[i] = toBf16(p);
  }

  MOE_DEVICE static void moveFours(const AdamWSegment& s, const AdamWFactors& f, float scale, std::int64_t begin,
                                   int left) {
    float p[kFours][4], m[kFours][4], v[kFours][4], g[kFours][4];
    MOE_UNROLL
    for (int k = 0; k < kFours; ++k) {
      const int i = (k * kThreads + threadOfBlock()) * 4;
      if (i + 4 > left) continue;
      load(g[k], s.gradient + begin + i);
      load(m[k], s.m + begin + i);
      load(v[k], s.v + begin + i);
      load(p[k], s.parameter + begin + i);
    }
    MOE_UNROLL
    for (int k = 0; k < kFours; ++k) {
      const int i = (k * kThreads + threadOfBlock()) * 4;
      if (i + 4 > left) continue;
      MOE_UNROLL
      for (int j = 0; j < 4; ++j) move(s, f, scale * g[k][j], p[k][j], m[k][j], v[k][j]);
      store(s.m + begin + i, m[k]);
      store(s.v + begin + i, v[k]);
      store(s.parameter + begin + i, p[k]);
      if (s.copy != nullptr) store(s.copy + begin + i, p[k]);
    }
    const int rest = left / 4 * 4 + threadOfBlock();
    if (rest < left) moveOne(s, f, scale, begin + rest);
  }
};

}  // namespace

// Loshchilov and Hutter 2019, algorithm 2. Bound by memory: 4 f32 read and 3 written a parameter, in bf16 2 bytes more.
void CudaBackend::adamw(std::span<const AdamWPart> parts, const AdamWSettings& settings, const TensorView& update) {
  const auto timed = queue().time("adamw");
  assert(settings.step >= 1 && (update.empty() || update.elements() == 2));
  std::vector<AdamWSegment> segments;
  segments.reserve(parts.size());
  std::int64_t chunks = 0;
  for (const AdamWPart& part : parts) {
    const std::int64_t n = part.parameter.elements();
    assert(part.m.elements() == n && part.v.elements() == n && part.gradient.elements() == n);
    if (n == 0) continue;
    written(part.parameter);  // no product reads a moment
    AdamWSegment segment{.parameter = at<float>(part.parameter),
                         .m = at<float>(part.m),
                         .v = at<float>(part.v),
                         .gradient = at<float>(part.gradient),
                         .copy = copies().writing(part.parameter),
                         .elements = n,
                         .firstChunk = static_cast<std::int32_t>(chunks),
                         .fours = 0,
                         .kept = static_cast<float>(1 - settings.learningRate * part.weightDecay),
                         .unused = 0};
    segment.fours = inFours(4, {segment.parameter, segment.m, segment.v, segment.gradient});
    segments.push_back(segment);
    chunks += (n + AdamW::kChunk - 1) / AdamW::kChunk;
  }
  if (segments.empty()) return;
  const auto step = static_cast<double>(settings.step);
  const AdamWFactors factors{.beta1 = static_cast<float>(settings.beta1),
                             .fresh1 = static_cast<float>(1 - settings.beta1),
                             .beta2 = static_cast<float>(settings.beta2),
                             .fresh2 = static_cast<float>(1 - settings.beta2),
                             .step = static_cast<float>(settings.learningRate / (1 - std::pow(settings.beta1, step))),
                             .secondCorrection = static_cast<float>(1 / (1 - std::pow(settings.beta2, step))),
                             .epsilon = static_cast<float>(settings.epsilon)};
  const AdamWSegment* const table = queue().constant(std::span<const AdamWSegment>(segments));
  const AdamWFactors* const read = queue().constant(factors);
  queue().launch<AdamW>({blocksFor(chunks, 1)}, static_cast<int>(sizeof(int)), table, read, at<double>(update),
                        static_cast<int>(segments.size()), static_cast<int>(chunks));
}

}  // namespace moe::cuda
