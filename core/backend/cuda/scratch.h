#pragma once
// Device memory that an operation needs only while it runs. Taken in the order of a stack, so that the same operations
// find the same addresses; never moved, as what was asked for and not yet begun still uses it.
#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/backend/cuda/queue.h"

namespace moe::cuda {

class Scratch {
 public:
  explicit Scratch(Queue& queue) : queue_(queue) {}
  ~Scratch() {
    for (const Chunk& chunk : chunks_) queue_.release(chunk.memory);
  }
  Scratch(const Scratch&) = delete;

  /// Gives back at its end what was taken from it. Contents are whatever was there.
  class Frame {
   public:
    explicit Frame(Scratch& scratch) : scratch_(scratch), chunk_(scratch.chunk_), used_(scratch.used_) {}
    ~Frame() { scratch_.chunk_ = chunk_, scratch_.used_ = used_; }
    Frame(const Frame&) = delete;
    template <class T>
    T* take(std::int64_t elements) {
      return static_cast<T*>(scratch_.take(static_cast<std::size_t>(elements) * sizeof(T)));
    }

   private:
    Scratch& scratch_;
    std::size_t chunk_, used_;
  };

 private:
  static constexpr std::size_t kChunkBytes = std::size_t{16} << 20;
  struct Chunk {
    void* memory;
    std::size_t size;
  };

  void* take(std::size_t bytes) {
    bytes = (bytes + 255) / 256 * 256;
    while (chunk_ < chunks_.size() && used_ + bytes > chunks_[chunk_].size) ++chunk_, used_ = 0;
    if (chunk_ == chunks_.size()) {
      const std::size_t size = std::max(kChunkBytes, bytes);
      chunks_.push_back({queue_.allocate(size), size});
      used_ = 0;
    }
    void* const at = static_cast<std::byte*>(chunks_[chunk_].memory) + used_;
    used_ += bytes;
    return at;
  }

  Queue& queue_;
  std::vector<Chunk> chunks_;
  std::size_t chunk_ = 0, used_ = 0;
};

}  // namespace moe::cuda
