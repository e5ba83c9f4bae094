#include "core/tensor/tensor.h"

#include <sys/mman.h>

#include <cstring>
#include <new>

#include "core/base/error.h"

namespace moe {
namespace {

/// From this size on memory comes in pages of its own, so that what is given back is the system's again at once: in a
/// heap that has holes, a run would take half as much again as it needs.
constexpr std::size_t kOwnPages = 1 << 18;

Tensor inPages(std::size_t bytes, Shape shape, DType dtype) {
  void* data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);  // zeros
  if (data == MAP_FAILED) throw NoMemory(static_cast<std::int64_t>(bytes));
  return {data, shape, dtype, Device::host, [bytes](void* memory) { ::munmap(memory, bytes); }};
}

}  // namespace

Tensor hostTensor(Shape shape, DType dtype) {
  constexpr std::align_val_t kAlignment{64};
  const std::size_t bytes = static_cast<std::size_t>(shape.elements()) * sizeOf(dtype);
  if (bytes >= kOwnPages) return inPages(bytes, shape, dtype);
  void* data = ::operator new(bytes == 0 ? 1 : bytes, kAlignment);
  std::memset(data, 0, bytes);
  return {data, shape, dtype, Device::host, [](void* memory) { ::operator delete(memory, kAlignment); }};
}

}  // namespace moe
