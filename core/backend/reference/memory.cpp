#include <algorithm>
#include <cstring>

#include "core/backend/reference/reference_backend.h"
#include "core/tensor/scalar.h"

namespace moe {

Tensor ReferenceBackend::allocate(Shape shape, DType dtype) { return hostTensor(shape, dtype); }

void ReferenceBackend::fill(const TensorView& out, double value) {
  const auto timed = timer_.time("fill");
  withScalar(out.dtype, [&]<class Scalar>() {
    const auto to = out.span<Scalar>();
    std::fill(to.begin(), to.end(), static_cast<Scalar>(value));
  });
}

void ReferenceBackend::copy(const TensorView& out, const TensorView& in) {
  const auto timed = timer_.time("copy");
  assert(out.elements() == in.elements());
  if (out.dtype == in.dtype) {
    if (in.bytes() != 0) std::memmove(out.data, in.data, in.bytes());
    return;
  }
  withScalar(in.dtype, [&]<class From>() {
    withScalar(out.dtype, [&]<class To>() {
      const auto from = in.span<From>();
      std::transform(from.begin(), from.end(), out.as<To>(), [](From value) { return static_cast<To>(value); });
    });
  });
}

void ReferenceBackend::add(const TensorView& out, const TensorView& in) {
  const auto timed = timer_.time("add");
  assert(out.elements() == in.elements() && out.dtype == in.dtype);
  withScalar(out.dtype, [&]<class Scalar>() {
    const auto to = out.span<Scalar>(), from = in.span<Scalar>();
    for (std::size_t i = 0; i < to.size(); ++i) to[i] += from[i];
  });
}

std::span<double> ReferenceBackend::scratch(std::int64_t elements) {
  const auto size = static_cast<std::size_t>(elements);
  if (scratch_.size() < size) scratch_.resize(size);
  std::fill_n(scratch_.begin(), size, 0.0);
  return {scratch_.data(), size};
}

}  // namespace moe
