// Bound by memory: these only move bytes.
#include <algorithm>
#include <cstring>

#include "core/backend/onednn/bf16_rows.h"
#include "core/backend/onednn/gemm.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/onednn/rows.h"

namespace moe {
namespace {

int chosenThreads(int threads) { return threads > 0 ? threads : omp_get_num_procs(); }

template <class To, class From>
void convert(const TensorView& out, const TensorView& in) {
  const auto from = in.span<From>();
  std::transform(from.begin(), from.end(), out.as<To>(), [](From value) { return static_cast<To>(value); });
}

}  // namespace

OnednnBackend::OnednnBackend(int threads, DType computeType) : threads_(chosenThreads(threads)), scratch_(threads_) {
  assert(computeType == DType::f32 || (computeType == DType::bf16 && hasBf16Products()));
  if (computeType == DType::bf16) bf16_ = std::make_unique<Bf16>(threads_);
}

void OnednnBackend::setThreads(int threads) {
  threads_ = chosenThreads(threads);
  scratch_.setThreads(threads_);
  if (bf16_) bf16_->products = Bf16Products(threads_);  // each of its primitives has memory a thread
}

Tensor OnednnBackend::allocate(Shape shape, DType dtype) {
  if (!bf16_) return hostTensor(shape, dtype);
  auto memory = std::make_shared<Tensor>(hostTensor(shape, dtype));
  const std::size_t bytes = memory->view().bytes();
  return {memory->view().data, shape, dtype, Device::host,
          [memory, bytes, weights = bf16_->weights](void* data) { weights->forget(data, bytes); }};
}

const BFloat16* OnednnBackend::narrow(const TensorView& weight) {
  return bf16_->weights->of(weight, [this](BFloat16* out, const TensorView& in) {
    const std::int64_t n = in.elements();
    const int threads = threadsFor(n);
#pragma omp parallel for num_threads(threads) schedule(static)
    for (int part = 0; part < threads; ++part) {
      const Range range = partOf(n, threads, part);
      toBf16(out + range.begin, in.as<float>() + range.begin, range.end - range.begin);
    }
  });
}

void OnednnBackend::fill(const TensorView& out, double value) {
  const auto timed = timer_.time("fill");
  written(out);
  if (out.dtype == DType::f64) {
    std::fill_n(out.as<double>(), out.elements(), value);
    return;
  }
  float* to = out.as<float>();
  const std::int64_t n = out.elements();
  const int threads = threadsFor(n);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int part = 0; part < threads; ++part) {
    const Range range = partOf(n, threads, part);
    std::fill(to + range.begin, to + range.end, static_cast<float>(value));
  }
}

void OnednnBackend::copy(const TensorView& out, const TensorView& in) {
  const auto timed = timer_.time("copy");
  written(out);
  assert(out.elements() == in.elements());
  if (out.dtype == in.dtype) {
    if (in.bytes() != 0) std::memmove(out.data, in.data, in.bytes());
  } else if (out.dtype == DType::f64) {
    convert<double, float>(out, in);
  } else {
    convert<float, double>(out, in);
  }
}

void OnednnBackend::add(const TensorView& out, const TensorView& in) {
  const auto timed = timer_.time("add");
  written(out);
  assert(out.elements() == in.elements() && out.dtype == in.dtype);
  const std::int64_t n = out.elements();
  if (out.dtype == DType::f64) {  // sums, a few
    for (std::int64_t i = 0; i < n; ++i) out.as<double>()[i] += in.as<double>()[i];
    return;
  }
  const int threads = threadsFor(n);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int part = 0; part < threads; ++part) {
    const Range range = partOf(n, threads, part);
    addRow(out.as<float>() + range.begin, in.as<float>() + range.begin, range.end - range.begin);
  }
}

}  // namespace moe
