// Bound by memory: these only move bytes.
#include <algorithm>
#include <cstring>

#include "core/backend/onednn/gemm.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/onednn/rows.h"

namespace moe {
namespace {

int chosenThreads(int threads) {
  return threads > 0 ? threads : omp_get_num_procs();
}

template <class To, class From>
void convert(const TensorView& out, const TensorView& in) {
  const auto from = in.span<From>();
  std::transform(from.begin(), from.end(), out.as<To>(), [](From value) { return static_cast<To>(value); });
}

}  // namespace

OnednnBackend::OnednnBackend(int threads) : threads_(chosenThreads(threads)), scratch_(threads_) {}

Tensor OnednnBackend::allocate(Shape shape, DType dtype) {
  return hostTensor(shape, dtype);
}

void OnednnBackend::fill(const TensorView& out, double value) {
  const auto timed = timer_.time("fill");
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
  assert(out.elements() == in.elements());
  const std::int64_t n = out.elements();
  const int threads = threadsFor(n);
#pragma omp parallel for num_threads(threads) schedule(static)
  for (int part = 0; part < threads; ++part) {
    const Range range = partOf(n, threads, part);
    addRow(out.as<float>() + range.begin, in.as<float>() + range.begin, range.end - range.begin);
  }
}

}  // namespace moe
