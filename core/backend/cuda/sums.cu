#include <array>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/segments.cuh"
#include "core/tensor/scalar.h"

namespace moe::cuda {
namespace {

template <class T>
struct Summed {
  const T* values;
  std::int64_t n;
};

/// out[s] = the sum of segment s, or of its squares: chunks first, and the last block adds them up in their order.
template <class T, bool kSquares>
struct SumSegments {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "sums";
  double *out, *partial;
  int* counter;
  const Summed<T>* segment;
  Chunks chunks;

  MOE_DEVICE void operator()() const {
    double* const room = shared<double>();
    const int chunk = block().x, s = chunks.segmentOf(chunk);
    const std::int64_t begin = chunks.begin(chunk, s);
    const std::int64_t end = begin + chunks.length < segment[s].n ? begin + chunks.length : segment[s].n;
    double sum = 0;
    for (std::int64_t i = begin + threadOfBlock(); i < end; i += kThreads) {
      const auto value = static_cast<double>(segment[s].values[i]);
      sum += kSquares ? value * value : value;
    }
    sum = blockSum(sum, room);
    if (threadOfBlock() == 0) partial[chunk] = sum;
    if (!arrivedLast(counter, blocks().x)) return;
    for (int to = warp(); to < chunks.segments; to += kThreads / kWarp) {
      double all = 0;
      for (int c = chunks.firstChunk[to] + lane(); c < chunks.firstChunk[to + 1]; c += kWarp) all += partial[c];
      all = warpSum(all);
      if (lane() == 0) out[to] = all;
    }
  }
};

struct ScaleGradients {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "scale of gradients";
  double* update;
  const double *squares, *loss, *clip;
  int n;

  MOE_DEVICE void operator()() const {
    double sum = 0;
    for (int i = threadOfBlock(); i < n; i += kThreads) sum += squares[i];
    sum = blockSum(sum, shared<double>());
    if (threadOfBlock() != 0) return;
    const double norm = sqrt(sum);
    double scale = *clip > 0 && norm > *clip ? *clip / norm : 1;
    if (!(norm - norm == 0) || !(*loss - *loss == 0)) scale = 0;  // not finite
    update[0] = norm;
    update[1] = scale;
  }
};

constexpr int kRoom = 256 / kWarp * static_cast<int>(sizeof(double));

template <class T, bool kSquares>
void sumSegments(Queue& queue, Scratch& scratch, double* out, std::span<const TensorView> in) {
  std::vector<Summed<T>> segments;
  std::vector<std::int64_t> lengths;
  for (const TensorView& view : in) {
    segments.push_back({at<T>(view), view.elements()});
    lengths.push_back(view.elements());
  }
  const ChunkPlan plan = ChunkPlan::of(lengths);
  if (plan.chunks() == 0) return queue.clear(out, in.size() * sizeof(double));
  Scratch::Frame room(scratch);
  const auto* const there = queue.constant(std::span<const Summed<T>>(segments));
  const Chunks chunks{queue.constant(std::span<const std::int32_t>(plan.firstChunk)), static_cast<int>(in.size()), plan.length};
  queue.launch<SumSegments<T, kSquares>>({plan.chunks()}, kRoom, out, room.take<double>(plan.chunks()), queue.counters(),
                                         there, chunks);
}

}  // namespace

void CudaBackend::sum(const TensorView& out, const TensorView& in) {
  const auto timed = queue().time("sum");
  assert(out.elements() == 1);
  written(out);
  withScalar(in.dtype, [&]<class T>() {
    sumSegments<T, false>(queue(), scratch(), at<double>(out), std::array{in});
  });
}

void CudaBackend::sumOfSquares(const TensorView& out, std::span<const TensorView> in) {
  const auto timed = queue().time("sum of squares");
  assert(out.elements() == static_cast<std::int64_t>(in.size()));
  if (in.empty()) return;
  written(out);
  sumSegments<float, true>(queue(), scratch(), at<double>(out), in);
}

void CudaBackend::scaleGradients(const TensorView& update, const TensorView& squares, const TensorView& loss,
                                 double clip) {
  const auto timed = queue().time("scale gradients");
  assert(update.elements() == 2 && loss.elements() == 1);
  written(update);
  queue().launch<ScaleGradients>({}, kRoom, at<double>(update), at<double>(squares), at<double>(loss),
                                 queue().constant(clip), static_cast<int>(squares.elements()));
}

}  // namespace moe::cuda
