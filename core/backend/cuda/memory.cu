#include <algorithm>
#include <cstring>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/device.cuh"
#include "core/tensor/scalar.h"

namespace moe::cuda {
namespace {

constexpr std::size_t kSmallCopy = std::size_t{1} << 16;  // bytes that travel with a step's constants

template <class T>
struct Fill {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "fill";
  T* out;
  T value;
  std::int64_t n;
  MOE_DEVICE void operator()() const {
    for (std::int64_t i = globalThread(); i < n; i += globalThreads()) out[i] = value;
  }
};

template <class To, class From>
struct Convert {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "convert";
  To* out;
  const From* in;
  std::int64_t n;
  MOE_DEVICE void operator()() const {
    for (std::int64_t i = globalThread(); i < n; i += globalThreads()) out[i] = static_cast<To>(in[i]);
  }
};

template <class T>
struct Add {
  static constexpr int kThreads = 256;
  static constexpr const char* kName = "add";
  T* out;
  const T* in;
  std::int64_t n;
  MOE_DEVICE void operator()() const {
    for (std::int64_t i = globalThread(); i < n; i += globalThreads()) out[i] += in[i];
  }
};

}  // namespace

CudaBackend::CudaBackend(std::unique_ptr<Runtime> runtime, DType computeType)
    : device_(std::make_shared<DeviceState>(std::move(runtime))), computeType_(computeType) {}

CudaBackend::~CudaBackend() = default;

Tensor CudaBackend::allocate(Shape shape, DType dtype) {
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * sizeOf(dtype);
  return {queue().allocate(bytes), shape, dtype, Device::cuda, [device = device_, bytes](void* memory) {
            device->copies.forget(memory, bytes);
            device->queue.release(memory);
          }};
}

Tensor CudaBackend::allocateHost(Shape shape, DType dtype) {
  const std::size_t bytes = std::max<std::size_t>(static_cast<std::size_t>(shape.elements()) * sizeOf(dtype), 1);
  void* const memory = queue().allocateHost(bytes);
  std::memset(memory, 0, bytes);
  return {memory, shape, dtype, Device::host, [device = device_](void* at) { device->queue.releaseHost(at); }};
}

HostCopy CudaBackend::read(const TensorView& view) {
  if (view.device == Device::host) {
    synchronize();
    return HostCopy(view);
  }
  Tensor copy = hostTensor(view.shape, view.dtype);
  if (!view.empty()) queue().copyNow(copy.view().data, view.data, view.bytes());
  return HostCopy(std::move(copy));
}

void CudaBackend::fill(const TensorView& out, double value) {
  const auto timed = queue().time("fill");
  if (out.empty()) return;
  written(out);
  if (value == 0) return queue().clear(out.data, out.bytes());
  withScalar(out.dtype, [&]<class Scalar>() {
    queue().launch<Fill<Scalar>>({blocksFor(out.elements(), 256)}, 0, at<Scalar>(out), static_cast<Scalar>(value),
                                 out.elements());
  });
}

void CudaBackend::copy(const TensorView& out, const TensorView& in) {
  const auto timed = queue().time("copy");
  assert(out.elements() == in.elements());
  if (in.empty()) return;
  const bool convert = out.dtype != in.dtype;
  if (out.device == Device::host && in.device == Device::host) {
    synchronize();  // either may be memory that a copy still fills
    if (!convert) {
      std::memmove(out.data, in.data, in.bytes());
    } else {
      withScalar(in.dtype, [&]<class From>() {
        withScalar(out.dtype, [&]<class To>() {
          std::ranges::transform(in.span<From>(), out.as<To>(), [](From value) { return static_cast<To>(value); });
        });
      });
    }
  } else if (out.device == Device::host) {
    if (convert) {
      copy(out, read(in).view());
    } else if (queue().pinned(out.data)) {
      queue().copy(out.data, in.data, in.bytes());
    } else {
      queue().copyNow(out.data, in.data, in.bytes());
    }
  } else if (in.device == Device::host) {
    if (convert) {
      const Tensor same = hostTensor(in.shape, out.dtype);
      copy(same, in);
      return copy(out, same);
    }
    written(out);
    if (in.bytes() <= kSmallCopy) {
      queue().copy(out.data, queue().constant(std::span(static_cast<const std::byte*>(in.data), in.bytes())),
                   in.bytes());
    } else {
      queue().copyNow(out.data, in.data, in.bytes());
    }
  } else if (convert) {
    written(out);
    withScalar(in.dtype, [&]<class From>() {
      withScalar(out.dtype, [&]<class To>() {
        queue().launch<Convert<To, From>>({blocksFor(in.elements(), 256)}, 0, at<To>(out), at<From>(in), in.elements());
      });
    });
  } else {
    written(out);
    queue().copy(out.data, in.data, in.bytes());
  }
}

void CudaBackend::add(const TensorView& out, const TensorView& in) {
  const auto timed = queue().time("add");
  assert(out.elements() == in.elements() && out.dtype == in.dtype);
  if (out.empty()) return;
  written(out);
  withScalar(out.dtype, [&]<class Scalar>() {
    queue().launch<Add<Scalar>>({blocksFor(out.elements(), 256)}, 0, at<Scalar>(out), at<Scalar>(in), out.elements());
  });
}

}  // namespace moe::cuda
