#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "core/tensor/tensor.h"

namespace moe {

/// Working memory of the operations: grows, never shrinks, so that after the first steps nothing is allocated.
/// Contents do not survive an operation. `shared` and `reserve` are called outside parallel regions; `ofThread` inside.
class Scratch {
 public:
  explicit Scratch(int threads) : perThread_(static_cast<std::size_t>(threads)) {}

  void setThreads(int threads) { perThread_.resize(static_cast<std::size_t>(threads)); }

  /// Slot `slot` of the memory all threads share: at least `elements` f32, uninitialised.
  float* shared(int slot, std::int64_t elements) { return grown(shared_[static_cast<std::size_t>(slot)], elements); }
  /// Makes `ofThread` of every thread at least this large.
  void reserve(std::int64_t elements) {
    for (Tensor& memory : perThread_) grown(memory, elements);
  }
  float* ofThread(int thread) { return static_cast<float*>(perThread_[static_cast<std::size_t>(thread)].view().data); }
  /// At least `elements` zeros, never to be written: stands in for a bias that is off.
  const float* zeros(std::int64_t elements) { return grown(zeros_, elements); }
  /// How often memory was allocated: constant once the sizes have been seen.
  std::int64_t allocations() const { return allocations_; }

 private:
  float* grown(Tensor& memory, std::int64_t elements) {
    if (memory.elements() < elements || memory.elements() == 0) {
      memory = Tensor();
      // A quarter more than asked: loads per expert wander, and must not make each step allocate.
      memory = hostTensor({elements + elements / 4 + 16}, DType::f32);
      ++allocations_;
    }
    return memory.as<float>();
  }

  std::array<Tensor, 8> shared_;
  std::vector<Tensor> perThread_;
  Tensor zeros_;
  std::int64_t allocations_ = 0;
};

}  // namespace moe
