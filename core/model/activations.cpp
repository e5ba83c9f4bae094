#include "core/model/activations.h"

#include <cstddef>

#include "core/backend/backend.h"

namespace moe {

void Activations::begin() {
  release(0);
  if (most_ <= blockBytes_) return;
  // Exact at first; where loads wander from pass to pass, with some room from then on.
  const std::int64_t wanted = blockBytes_ == 0 ? most_ : most_ + most_ / 16;
  block_ = Tensor();
  blockBytes_ = 0;
  block_ = backend_.allocate({(wanted + 7) / 8}, DType::f64);
  blockBytes_ = wanted;
}

TensorView Activations::take(const Shape& shape, DType dtype) {
  constexpr std::int64_t kAlignment = 64;
  const std::int64_t bytes = shape.elements() * static_cast<std::int64_t>(sizeOf(dtype)), begin = used_;
  used_ += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  most_ = std::max(most_, used_);
  if (used_ <= blockBytes_)
    return {static_cast<std::byte*>(block_.view().data) + begin, shape, dtype, block_.view().device};
  pieces_.push_back({begin, backend_.allocate({std::max<std::int64_t>(1, shape.elements())}, dtype)});
  const TensorView& piece = pieces_.back().memory.view();
  return {piece.data, shape, dtype, piece.device};
}

void growTo(Backend& backend, Tensor& memory, std::int64_t elements) {
  if (memory.elements() < elements) memory = backend.allocate({elements}, DType::f64);
}

void Activations::release(std::int64_t mark) {
  used_ = mark;
  while (!pieces_.empty() && pieces_.back().begin >= mark) pieces_.pop_back();
}

}  // namespace moe
