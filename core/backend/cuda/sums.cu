#include <algorithm>
#include <vector>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/device.cuh"
#include "core/backend/cuda/segments.cuh"
#include "core/backend/cuda/vectors.cuh"

namespace moe::cuda {
namespace {

struct SumSegment {
  const float* in;
  std::int64_t elements;
  std::int32_t firstChunk, chunks;  // at least one
};

/// A block a chunk; the last of a stretch adds up its chunks. All in f64.
template <bool kSquares>
struct SumSegments {
  static constexpr int kThreads = 256;
  static constexpr int kSharedBytes = 2 * kThreads / kWarp * static_cast<int>(sizeof(double)) + 8;
  static constexpr const char* kName = kSquares ? "sum of squares" : "sum";
  double* out;
  const SumSegment* segments;
  double* partials;
  int* counters;
  std::int64_t chunk;  // elements
  int count;

  MOE_DEVICE void operator()() const {
    double* const room = shared<double>();
    const int index = segmentOf(segments, count, block().x, shared<int>(kSharedBytes - 8));
    const SumSegment s = segments[index];
    const std::int64_t begin = (block().x - s.firstChunk) * chunk, left = s.elements - begin;
    double sum = sumOf(s.in + begin, left < chunk ? left : chunk);
    sum = blockSum(sum, room);
    if (s.chunks == 1) {
      if (threadOfBlock() == 0) out[index] = sum;
      return;
    }
    if (threadOfBlock() == 0) partials[block().x] = sum;
    if (!arrivedLast(counters + index, s.chunks)) return;
    double total = 0;
    for (int i = threadOfBlock(); i < s.chunks; i += kThreads) total += partials[s.firstChunk + i];
    total = blockSum(total, room + kThreads / kWarp);
    if (threadOfBlock() == 0) out[index] = total;
  }

  MOE_DEVICE static double term(float value) {
    const double wide = value;
    return kSquares ? wide * wide : wide;
  }
  MOE_DEVICE static double sumOf(const float* from, std::int64_t n) {
    const bool fours = reinterpret_cast<std::uintptr_t>(from) % sizeof(Float4) == 0;
    const std::int64_t quads = fours ? n / 4 : 0;
    double first = 0, second = 0;
    for (std::int64_t i = threadOfBlock(); i < quads; i += kThreads) {
      float x[4];
      load(x, from + 4 * i);
      first += term(x[0]) + term(x[1]);
      second += term(x[2]) + term(x[3]);
    }
    for (std::int64_t i = 4 * quads + threadOfBlock(); i < n; i += kThreads) first += term(from[i]);
    return first + second;
  }
};

struct ScaleGradients {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "scale gradients";
  double* update;
  const double *squares, *loss, *clip;
  std::int64_t count;

  MOE_DEVICE static bool finite(double value) { return value - value == 0; }
  MOE_DEVICE void operator()() const {
    double sum = 0;
    for (std::int64_t i = threadOfBlock(); i < count; i += kThreads) sum += squares[i];
    const double norm = sqrt(blockSum(sum, shared<double>()));
    if (threadOfBlock() != 0) return;
    double scale = *clip > 0 && norm > *clip ? *clip / norm : 1;
    if (!finite(norm) || !finite(*loss)) scale = 0;
    update[0] = norm;
    update[1] = scale;
  }
};

template <bool kSquares>
void sumEach(Queue& queue, Scratch& scratch, int blocksWanted, double* out, std::span<const TensorView> in) {
  using Kernel = SumSegments<kSquares>;
  std::int64_t elements = 0, chunks = 0;
  for (const TensorView& view : in) elements += view.elements();
  const std::int64_t chunk = std::max<std::int64_t>((elements / blocksWanted + 1023) / 1024 * 1024, 4096);
  std::vector<SumSegment> segments;
  segments.reserve(in.size());
  for (const TensorView& view : in) {
    const std::int64_t n = view.elements(), own = std::max<std::int64_t>((n + chunk - 1) / chunk, 1);
    segments.push_back({at<float>(view), n, static_cast<std::int32_t>(chunks), static_cast<std::int32_t>(own)});
    chunks += own;
  }
  Scratch::Frame frame(scratch);
  double* const partials = frame.take<double>(chunks);
  const SumSegment* const table = queue.constant(std::span<const SumSegment>(segments));
  queue.launch<Kernel>({static_cast<int>(chunks)}, Kernel::kSharedBytes, out, table, partials, queue.counters(), chunk,
                       static_cast<int>(segments.size()));
}

}  // namespace

void CudaBackend::sum(const TensorView& out, const TensorView& in) {
  const auto timed = queue().time("sum");
  assert(out.elements() == 1);
  written(out);
  sumEach<false>(queue(), scratch(), 8 * queue().multiprocessors(), at<double>(out), std::span(&in, 1));
}

void CudaBackend::sumOfSquares(const TensorView& out, std::span<const TensorView> in) {
  const auto timed = queue().time("sum of squares");
  assert(out.elements() == static_cast<std::int64_t>(in.size()));
  if (in.empty()) return;
  written(out);
  for (std::size_t begin = 0; begin < in.size(); begin += Queue::kCounters) {  // a counter each
    const auto some = in.subspan(begin, std::min<std::size_t>(in.size() - begin, Queue::kCounters));
    sumEach<true>(queue(), scratch(), 8 * queue().multiprocessors(), at<double>(out) + begin, some);
  }
}

void CudaBackend::scaleGradients(const TensorView& update, const TensorView& squares, const TensorView& loss,
                                 double clip) {
  const auto timed = queue().time("scale gradients");
  assert(update.elements() == 2 && loss.elements() == 1);
  written(update);
  queue().launch<ScaleGradients>({1}, ScaleGradients::kThreads / kWarp * static_cast<int>(sizeof(double)),
                                 at<double>(update), at<double>(squares), at<double>(loss), queue().constant(clip),
                                 squares.elements());
}

}  // namespace moe::cuda
