#pragma once
// bf16 copies of f32 tensors: what products read in bf16 mode, beside the f32 that everything else reads. Whoever
// computes a tensor may write its copy in the same kernel; otherwise it is made by the first product that reads it, and
// kept until the tensor is written again. Only products' operands have one.
#include <cstdint>
#include <map>
#include <vector>

#include "core/backend/cuda/queue.h"
#include "core/tensor/tensor.h"

namespace moe::cuda {

class Bf16Copies {
 public:
  explicit Bf16Copies(Queue& queue) : queue_(queue) {}
  ~Bf16Copies();
  Bf16Copies(const Bf16Copies&) = delete;

  /// The copy, up to date: a kernel that makes it is asked for where it is not.
  const BFloat16* reading(const TensorView& view);
  /// Where the copy belongs, for a kernel that writes both; null where no product has read one so far. Call it after
  /// written(view).
  BFloat16* writing(const TensorView& view);
  /// Numbers of this view change: copies that overlap it are stale.
  void written(const TensorView& view);
  /// The memory from here on is given back.
  void forget(const void* memory, std::size_t bytes);

 private:
  struct Copy {
    std::size_t bytes = 0;  // of the f32 original
    BFloat16* memory = nullptr;
    bool fresh = false;
  };
  template <class Visit>
  void overlapping(const void* memory, std::size_t bytes, Visit&& visit);

  Queue& queue_;
  std::map<const std::byte*, Copy> copies_;  // by the original's address: one a view's beginning
  std::vector<BFloat16*> outgrown_;
  std::size_t largest_ = 0;  // bytes of the largest original so far
};

}  // namespace moe::cuda
