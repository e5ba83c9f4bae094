#pragma once
// What the backend asks of its device, in order. Kept as a list until submit(): a list that came before runs as one
// graph, so that a training step costs the host one launch. Numbers that change from step to step (ids, the learning
// rate, draws) go through constant(), whose addresses are the same in equal lists: a knob needs no new graph.
// Belongs to the backend's thread.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <list>
#include <map>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/backend/cuda/runtime.h"
#include "core/backend/operation_timer.h"

namespace moe::cuda {

class Queue {
 public:
  explicit Queue(std::unique_ptr<Runtime> runtime);
  ~Queue();

  /// One kernel: its struct is made of `members`, in order. sharedBytes: of dynamic shared memory.
  template <class Kernel, class... Members>
  void launch(Axes grid, int sharedBytes, const Members&... members) {
    static_assert(std::is_trivially_copyable_v<Kernel> && alignof(Kernel) <= sizeof(Room));
    if (grid.x <= 0 || grid.y <= 0 || grid.z <= 0) return;
    void* arguments = append(Kind::launch, sizeof(Kernel), entryOf<Kernel>(), grid, Kernel::kThreads, sharedBytes);
    [[maybe_unused]] auto* const kernel = ::new (arguments) Kernel{members...};
#if __has_builtin(__builtin_clear_padding)
    __builtin_clear_padding(kernel);  // else equal lists may differ there, and come without their graph
#endif
  }
  void multiply(const Product& product);
  void copy(void* to, const void* from, std::size_t bytes);  // device, or memory of allocateHost
  void clear(void* at, std::size_t bytes);

  /// These numbers on the device, aligned to 16 bytes, until the next submit(). Read within the call.
  template <class T>
  const T* constant(std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    return static_cast<const T*>(constantBytes(values.data(), values.size_bytes()));
  }
  template <class T>
  const T* constant(const T& value) {
    return constant(std::span<const T>(&value, 1));
  }

  std::uint64_t submit();
  void wait(std::uint64_t ticket);
  void synchronize();

  void* allocate(std::size_t bytes);  // zeroed
  void release(void* memory);
  void* allocateHost(std::size_t bytes);
  void releaseHost(void* memory);
  /// Whether it lies in memory of allocateHost.
  bool pinned(const void* memory) const;
  /// Pageable host memory to or from the device: done when it returns.
  void copyNow(void* to, const void* from, std::size_t bytes);

  /// Zeros for arrivedLast(): each user leaves them at zero, and operations follow one another, so all share them.
  int* counters() const { return counters_; }
  static constexpr int kCounters = 1 << 16;

  int multiprocessors() const { return runtime_->multiprocessors(); }
  int sharedBytesPerBlock() const { return runtime_->sharedBytesPerBlock(); }
  /// Graphs captured so far: stands still once steps repeat.
  std::int64_t graphsMade() const { return graphsMade_; }

  /// Names the operations of a profile. Profiled work runs at once, one operation after the other.
  class Timed {
   public:
    Timed(Queue& queue, const char* operation);
    ~Timed();
    Timed(const Timed&) = delete;

   private:
    Queue* queue_;
    const char* operation_;
  };
  Timed time(const char* operation) { return Timed(*this, operation); }
  void setProfiling(bool on);
  std::vector<OperationTime> profile() const { return times_; }

 private:
  friend class Timed;
  enum class Kind : std::int32_t { launch, multiply, copy, clear };
  struct alignas(16) Room {
    std::byte bytes[16];
  };
  struct Command {
    Kind kind = Kind::launch;
    std::int32_t rooms = 0;  // of the arguments that follow
    const void* entry = nullptr;
    Axes grid;
    std::int32_t threads = 0, sharedBytes = 0;
  };
  struct Copied {
    void* to;
    const void* from;
    std::size_t bytes;
  };
  using Commands = std::vector<Room>;
  struct Kept {
    std::uint64_t hash = 0;
    Commands commands;
    std::unique_ptr<Graph> graph;  // empty: came once
  };
  /// Constants stand in chunks that are never moved. The host writes into one of several stagings, as the device may
  /// still read those before.
  static constexpr int kStagings = 4;
  struct Chunk {
    std::byte* device = nullptr;
    std::byte* staging[kStagings] = {};
    std::size_t size = 0, used = 0;
  };

  void* append(Kind kind, std::size_t argumentBytes, const void* entry = nullptr, Axes grid = {}, int threads = 0,
               int sharedBytes = 0);
  const void* constantBytes(const void* values, std::size_t bytes);
  void run(const Commands& commands);
  void begin();  // what was appended so far
  Kept& keptOf(std::uint64_t hash);

  std::unique_ptr<Runtime> runtime_;
  Commands commands_;
  std::vector<Chunk> chunks_;
  std::size_t chunk_ = 0;
  std::list<Kept> kept_;  // latest first
  std::uint64_t ticket_ = 0;
  std::int64_t graphsMade_ = 0;
  int* counters_ = nullptr;
  std::map<const std::byte*, std::size_t> pinned_;  // bytes of each
  bool profiling_ = false;
  int timedDepth_ = 0;
  std::vector<OperationTime> times_;
};

}  // namespace moe::cuda
