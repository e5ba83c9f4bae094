#pragma once
#include <vector>

#include "core/tensor/tensor.h"

namespace moe {

class Backend;

/// The memory that passes through a model live in: one allocation, used as a stack. Forward lays each layer's
/// activations on top, in the model's order; backward puts a layer's working memory on top of those and takes it off
/// again, and so does a forward pass of which nothing is kept. The first pass finds how high the stack grows (in
/// pieces), and from the next on it is one block of that size. Belongs to the backend's thread.
class Activations {
 public:
  explicit Activations(Backend& backend) : backend_(backend) {}

  /// Empties the stack: every view taken before is gone.
  void begin();
  /// A view onto the top; its elements are whatever was there. Stays until what lies below `mark()` then is released.
  TensorView take(const Shape& shape, DType dtype);
  std::int64_t mark() const { return used_; }
  /// Takes off all that was taken since this mark.
  void release(std::int64_t mark);
  /// Bytes of the largest stack so far.
  std::int64_t mostBytes() const { return most_; }

 private:
  /// What did not fit the block, at its place in the stack.
  struct Piece {
    std::int64_t begin = 0;
    Tensor memory;
  };

  Backend& backend_;
  Tensor block_;
  std::int64_t blockBytes_ = 0, used_ = 0, most_ = 0;  // bytes
  std::vector<Piece> pieces_;                          // from the lowest
};

/// Makes `memory` at least this many f64; it only grows, so that after the first passes nothing is allocated. What was
/// in it is gone.
void growTo(Backend& backend, Tensor& memory, std::int64_t elements);

/// Takes off, at its end, all that was taken while it lived.
class ActivationsScope {
 public:
  explicit ActivationsScope(Activations& memory) : memory_(memory), mark_(memory.mark()) {}
  ~ActivationsScope() { memory_.release(mark_); }
  ActivationsScope(const ActivationsScope&) = delete;
  ActivationsScope& operator=(const ActivationsScope&) = delete;

 private:
  Activations& memory_;
  std::int64_t mark_;
};

}  // namespace moe
