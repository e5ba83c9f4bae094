#pragma once
#include <cassert>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "core/tensor/dtype.h"
#include "core/tensor/shape.h"

namespace moe {

enum class Device : std::uint8_t { host, cuda };

/// A window onto memory somebody else owns: contiguous, row-major. Cheap to copy. `const` says nothing about the
/// elements; an operation writes what stands first in its argument list and reads the rest.
struct TensorView {
  void* data = nullptr;
  Shape shape;
  DType dtype = DType::f32;
  Device device = Device::host;

  bool empty() const { return data == nullptr || shape.elements() == 0; }
  std::int64_t elements() const { return shape.elements(); }
  std::size_t bytes() const { return static_cast<std::size_t>(elements()) * sizeOf(dtype); }

  template <class T>
  T* as() const {
    assert((data == nullptr || dtype == DTypeOf<T>::value) && device == Device::host);
    return static_cast<T*>(data);
  }
  template <class T>
  std::span<T> span() const {
    return {as<T>(), static_cast<std::size_t>(elements())};
  }

  /// The same elements under another shape of equal size.
  TensorView reshaped(Shape other) const {
    assert(other.elements() == elements());
    return {data, other, dtype, device};
  }
  /// Rows [begin, end) of the first axis.
  TensorView rows(std::int64_t begin, std::int64_t end) const {
    assert(shape.rank() >= 1 && 0 <= begin && begin <= end && end <= shape[0]);
    Shape part = shape;
    const std::int64_t row = shape.rowElements();
    switch (shape.rank()) {
      case 1: part = {end - begin}; break;
      case 2: part = {end - begin, shape[1]}; break;
      case 3: part = {end - begin, shape[1], shape[2]}; break;
      default: part = {end - begin, shape[1], shape[2], shape[3]}; break;
    }
    return {static_cast<std::byte*>(data) + static_cast<std::size_t>(begin * row) * sizeOf(dtype), part, dtype, device};
  }
};

/// Owns its memory; movable only. Made by a Backend, or by `hostTensor` where no device is involved.
class Tensor {
 public:
  using Release = std::function<void(void*)>;

  Tensor() = default;
  Tensor(void* data, Shape shape, DType dtype, Device device, Release release)
      : memory_(data, std::move(release)), view_{data, shape, dtype, device} {}

  const TensorView& view() const { return view_; }
  operator const TensorView&() const { return view_; }
  const Shape& shape() const { return view_.shape; }
  DType dtype() const { return view_.dtype; }
  bool empty() const { return view_.empty(); }
  std::int64_t elements() const { return view_.elements(); }
  template <class T>
  T* as() const {
    return view_.as<T>();
  }
  template <class T>
  std::span<T> span() const {
    return view_.span<T>();
  }

  Tensor(Tensor&& other) noexcept : memory_(std::move(other.memory_)), view_(std::exchange(other.view_, {})) {}
  Tensor& operator=(Tensor&& other) noexcept {
    memory_ = std::move(other.memory_);
    view_ = std::exchange(other.view_, {});
    return *this;
  }

 private:
  std::unique_ptr<void, Release> memory_{nullptr, [](void*) {}};
  TensorView view_;
};

/// Zeroed host memory aligned to 64 bytes. Throws std::bad_alloc.
Tensor hostTensor(Shape shape, DType dtype);

}  // namespace moe
