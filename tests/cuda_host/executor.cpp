#include "tests/cuda_host/executor.h"

#include <sys/mman.h>

#include <boost/context/detail/fcontext.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/common_interface_defs.h>
#elif defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

namespace moe::cuda::host {

Thread* running = nullptr;
int blockFlag = 0;

namespace {

namespace context = boost::context::detail;
constexpr std::size_t kStackBytes = std::size_t{256} << 10;
constexpr int kWarpLanes = 32;

enum class State { ready, atBarrier, atExchange, ended };

struct LateCopy {
  void* to;
  const void* from;
  bool valid;
};

struct Fiber {
#if defined(__SANITIZE_THREAD__)
  void* watched = nullptr;  // what the sanitizer knows it as, in this block
#endif
  Thread thread;
  context::fcontext_t context = nullptr;
  unsigned char* stack = nullptr;
  State state = State::ready;
  std::vector<LateCopy> open;                // not committed
  std::deque<std::vector<LateCopy>> groups;  // committed, oldest first
  void* fakeStack = nullptr;
};

struct Warp {
  unsigned char rooms[2][kWarpLanes * kExchangeBytes];  // an exchange is read while the next one is written
  int parity = 0, arrived = 0;
  Exchange kind = Exchange::syncWarp;
  int bytes = 0;
};

struct Executor {
  std::vector<std::unique_ptr<Fiber>> fibers;
  std::vector<Warp> warps;
  std::vector<int> ready;
  int threads = 0, live = 0, atBarrier = 0;
  void (*body)(const void*) = nullptr;
  const void* arguments = nullptr;
  const char* kernel = "";
  Fiber* current = nullptr;
  context::fcontext_t scheduler = nullptr;
  std::uint64_t draws = 0x9e3779b97f4a7c15u;
#if defined(__SANITIZE_ADDRESS__)
  const void* schedulerStack = nullptr;
  std::size_t schedulerStackBytes = 0;
  void* schedulerFakeStack = nullptr;
#elif defined(__SANITIZE_THREAD__)
  void* watchedScheduler = nullptr;
#endif

  ~Executor() {
    for (const auto& fiber : fibers) ::munmap(fiber->stack, kStackBytes);
  }

  std::uint64_t draw() {
    draws ^= draws << 13, draws ^= draws >> 7, draws ^= draws << 17;
    return draws;
  }
  void makeReady(int index) {
    fibers[static_cast<std::size_t>(index)]->state = State::ready;
    ready.push_back(index);
  }
};

/// A backend belongs to one thread, and tests may have several.
thread_local Executor executor;

void leave() {
#if defined(__SANITIZE_ADDRESS__)
  Fiber& fiber = *executor.current;
  __sanitizer_start_switch_fiber(fiber.state == State::ended ? nullptr : &fiber.fakeStack, executor.schedulerStack,
                                 executor.schedulerStackBytes);
#elif defined(__SANITIZE_THREAD__)
  __tsan_switch_to_fiber(executor.watchedScheduler, 0);
#endif
  const context::transfer_t back = context::jump_fcontext(executor.scheduler, nullptr);
  executor.scheduler = back.fctx;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(fiber.fakeStack, &executor.schedulerStack, &executor.schedulerStackBytes);
#endif
}

void fiberBody(context::transfer_t from) {
  executor.scheduler = from.fctx;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(nullptr, &executor.schedulerStack, &executor.schedulerStackBytes);
#endif
  executor.body(executor.arguments);
  Fiber& fiber = *executor.current;
  if (!fiber.open.empty() || !fiber.groups.empty()) fail("a thread ended with copies that it never waited for");
  fiber.state = State::ended;
  leave();
  std::abort();  // never resumed
}

void enter(Fiber& fiber) {
  executor.current = &fiber;
  running = &fiber.thread;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_start_switch_fiber(&executor.schedulerFakeStack, fiber.stack, kStackBytes);
#elif defined(__SANITIZE_THREAD__)
  if (!fiber.watched) fiber.watched = __tsan_create_fiber(0);
  executor.watchedScheduler = __tsan_get_current_fiber();
  __tsan_switch_to_fiber(fiber.watched, 0);
#endif
  fiber.context = context::jump_fcontext(fiber.context, nullptr).fctx;
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_finish_switch_fiber(executor.schedulerFakeStack, nullptr, nullptr);
#elif defined(__SANITIZE_THREAD__)
  if (fiber.state == State::ended) __tsan_destroy_fiber(std::exchange(fiber.watched, nullptr));
#endif
  running = nullptr;
}

void releaseBarrier() {
  executor.atBarrier = 0;
  for (int i = 0; i < executor.threads; ++i)
    if (executor.fibers[static_cast<std::size_t>(i)]->state == State::atBarrier) executor.makeReady(i);
}

void runBlock(const int block[3], const int grid[3], unsigned char* shared) {
  executor.ready.clear();
  executor.live = executor.threads;
  executor.atBarrier = 0;
  for (Warp& warp : executor.warps) warp.arrived = 0;
  for (int i = 0; i < executor.threads; ++i) {
    Fiber& fiber = *executor.fibers[static_cast<std::size_t>(i)];
    fiber.thread = {i, {block[0], block[1], block[2]}, {grid[0], grid[1], grid[2]}, executor.threads, shared};
    fiber.context = context::make_fcontext(fiber.stack + kStackBytes, kStackBytes, fiberBody);
    executor.makeReady(i);
  }
  while (executor.live > 0) {
    if (executor.ready.empty())
      fail(executor.atBarrier > 0 ? "threads wait at sync() for others that wait for their warp"
                                  : "lanes wait for their warp, and others of it have ended or never come");
    const std::size_t next = executor.draw() % executor.ready.size();
    std::swap(executor.ready[next], executor.ready.back());
    Fiber& fiber = *executor.fibers[static_cast<std::size_t>(executor.ready.back())];
    executor.ready.pop_back();
    enter(fiber);
    if (fiber.state == State::ended) --executor.live;
    if (executor.atBarrier > 0 && executor.atBarrier == executor.live) releaseBarrier();
  }
}

}  // namespace

void fail(const char* what) {
  std::fprintf(stderr, "host executor: kernel \"%s\", thread %d of block (%d, %d, %d): %s\n", executor.kernel,
               running != nullptr ? running->index : -1, running != nullptr ? running->block[0] : -1,
               running != nullptr ? running->block[1] : -1, running != nullptr ? running->block[2] : -1, what);
  std::abort();
}

void run(void (*body)(const void*), const void* arguments, const char* kernel, const int grid[3], int threads,
         int sharedBytes) {
  executor.body = body;
  executor.arguments = arguments;
  executor.kernel = kernel;
  executor.threads = threads;
  if (threads % kWarpLanes != 0) fail("blocks are whole warps");
  while (executor.fibers.size() < static_cast<std::size_t>(threads)) {
    auto fiber = std::make_unique<Fiber>();
    void* const stack = ::mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED) throw std::bad_alloc();
    fiber->stack = static_cast<unsigned char*>(stack);
    executor.fibers.push_back(std::move(fiber));
  }
  executor.warps.resize(static_cast<std::size_t>(threads / kWarpLanes));
  // On its own, so that the sanitizers know where it ends.
  const auto size = static_cast<std::size_t>(sharedBytes);
  std::unique_ptr<unsigned char, decltype(&std::free)> shared(static_cast<unsigned char*>(std::malloc(size)),
                                                              &std::free);
  const std::int64_t blocks = std::int64_t{1} * grid[0] * grid[1] * grid[2];
  const auto first = static_cast<std::int64_t>(executor.draw() % static_cast<std::uint64_t>(blocks));
  std::int64_t stride = static_cast<std::int64_t>(executor.draw() % static_cast<std::uint64_t>(blocks)) | 1;
  while (std::gcd(stride, blocks) != 1) ++stride;
  for (std::int64_t i = 0; i < blocks; ++i) {
    const std::int64_t at = (first + i * stride) % blocks;
    const int block[3] = {static_cast<int>(at % grid[0]), static_cast<int>(at / grid[0] % grid[1]),
                          static_cast<int>(at / grid[0] / grid[1])};
    if (size != 0) std::memset(shared.get(), 0xff, size);
    runBlock(block, grid, shared.get());
  }
}

void sync() {
  Fiber& fiber = *executor.current;
  fiber.state = State::atBarrier;
  ++executor.atBarrier;
  leave();
}

const unsigned char* exchange(Exchange kind, const void* mine, int bytes) {
  Fiber& fiber = *executor.current;
  const int index = fiber.thread.index, lane = index % kWarpLanes;
  Warp& warp = executor.warps[static_cast<std::size_t>(index / kWarpLanes)];
  if (warp.arrived == 0) {
    warp.parity ^= 1;
    warp.kind = kind;
    warp.bytes = bytes;
  } else if (warp.kind != kind || warp.bytes != bytes) {
    fail("lanes of one warp ask for different exchanges");
  }
  unsigned char* const rooms = warp.rooms[warp.parity];
  if (bytes != 0) std::memcpy(rooms + lane * kExchangeBytes, mine, static_cast<std::size_t>(bytes));
  if (++warp.arrived == kWarpLanes) {
    warp.arrived = 0;
    const int begin = index - lane;
    for (int i = begin; i < begin + kWarpLanes; ++i)
      if (i != index) executor.makeReady(i);
    return rooms;
  }
  fiber.state = State::atExchange;
  leave();
  return rooms;
}

void copyLater(void* to, const void* from, bool valid) {
  if (reinterpret_cast<std::uintptr_t>(to) % 16 != 0 || (valid && reinterpret_cast<std::uintptr_t>(from) % 16 != 0))
    fail("copyAsync16 needs both sides aligned to 16 bytes");
  executor.current->open.push_back({to, from, valid});
}

void commitCopies() {
  executor.current->groups.push_back(std::move(executor.current->open));
  executor.current->open.clear();
}

void waitCopies(int open) {
  auto& groups = executor.current->groups;
  while (groups.size() > static_cast<std::size_t>(open)) {
    for (const LateCopy& copy : groups.front()) {
      if (copy.valid)
        std::memcpy(copy.to, copy.from, 16);
      else
        std::memset(copy.to, 0, 16);
    }
    groups.pop_front();
  }
}

}  // namespace moe::cuda::host
