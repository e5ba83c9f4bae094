#include "core/tensor/tensor.h"

#include <cstring>
#include <new>

namespace moe {

Tensor hostTensor(Shape shape, DType dtype) {
  constexpr std::align_val_t kAlignment{64};
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * sizeOf(dtype);
  void* data = ::operator new(bytes == 0 ? 1 : bytes, kAlignment);
  std::memset(data, 0, bytes);
  return {data, shape, dtype, Device::host, [](void* memory) { ::operator delete(memory, kAlignment); }};
}

}  // namespace moe
