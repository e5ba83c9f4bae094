// The seam of core/backend/cuda on the host executor. Nothing runs before somebody waits for it, so that a result read
// too early shows.
#include <cstdlib>
#include <cstring>
#include <deque>
#include <functional>
#include <new>
#include <utility>

#include "core/backend/cuda/runtime.h"

namespace moe::cuda {
namespace {

float valueAt(const void* data, DType dtype, std::int64_t index) {
  return dtype == DType::bf16 ? fromBf16(static_cast<const BFloat16*>(data)[index])
                              : static_cast<const float*>(data)[index];
}

void multiplyNow(const Product& p) {
  for (std::int64_t r = 0; r < p.rows; ++r)
    for (std::int64_t c = 0; c < p.columns; ++c) {
      float sum = 0;
      for (std::int64_t i = 0; i < p.inner; ++i)
        sum += valueAt(p.a, p.dtype, p.aTransposed ? i * p.rows + r : r * p.inner + i) *
               valueAt(p.b, p.dtype, p.bTransposed ? c * p.inner + i : i * p.columns + c);
      float& out = p.c[r * p.columns + c];
      out = (p.accumulate ? out : 0) + sum + (p.bias != nullptr ? p.bias[c] : 0);
    }
}

using Work = std::function<void()>;

struct HostGraph final : Graph {
  std::vector<Work> work;
};

class HostRuntime final : public Runtime {
 public:
  std::string deviceName() const override { return "host executor"; }
  int multiprocessors() const override { return 2; }
  int sharedBytesPerBlock() const override { return 227 * 1024; }

  // Exactly as large as asked, so that the sanitizers know where it ends.
  void* allocate(std::size_t bytes) override {
    void* const memory = std::malloc(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    clear(memory, bytes);
    return memory;
  }
  void release(void* memory) override {
    synchronize();
    std::free(memory);
  }
  void* allocateHost(std::size_t bytes) override {
    void* const memory = std::malloc(bytes);
    if (memory == nullptr) throw std::bad_alloc();
    return memory;
  }
  void releaseHost(void* memory) override {
    synchronize();
    std::free(memory);
  }

  void launch(const Launch& launch) override {
    const auto& entry = *static_cast<const HostEntry*>(launch.entry);
    // Kernel structs are smaller than this, and 16 bytes at a time.
    auto arguments =
        std::make_shared<std::vector<std::max_align_t>>(launch.argumentBytes / sizeof(std::max_align_t) + 1);
    std::memcpy(arguments->data(), launch.arguments, launch.argumentBytes);
    later([=, grid = launch.grid, threads = launch.threads, shared = launch.sharedBytes] {
      const int axes[3] = {grid.x, grid.y, grid.z};
      host::run(entry.body, arguments->data(), entry.name, axes, threads, shared);
    });
  }
  void multiply(const Product& product) override {
    later([product] { multiplyNow(product); });
  }
  void copy(void* to, const void* from, std::size_t bytes) override {
    later([=] { std::memmove(to, from, bytes); });
  }
  void clear(void* at, std::size_t bytes) override {
    later([=] { std::memset(at, 0, bytes); });
  }

  void beginGraph() override { graph_ = std::make_unique<HostGraph>(); }
  std::unique_ptr<Graph> endGraph() override { return std::move(graph_); }
  void run(const Graph& graph) override {
    for (const Work& work : static_cast<const HostGraph&>(graph).work) later(work);
  }

  void mark(int index) override { marks_[index] = asked_; }
  void waitFor(int index) override { runUntil(marks_[index]); }
  void synchronize() override { runUntil(asked_); }
  double secondsBetween(int, int) override { return 0; }  // means nothing here

 private:
  void later(Work work) {
    if (graph_) {
      graph_->work.push_back(std::move(work));
    } else {
      work_.push_back(std::move(work));
      ++asked_;
    }
  }
  void runUntil(std::uint64_t count) {
    while (done_ < count) {
      const Work work = std::move(work_.front());
      work_.pop_front();
      ++done_;
      work();
    }
  }

  std::deque<Work> work_;
  std::uint64_t asked_ = 0, done_ = 0;
  std::uint64_t marks_[kEvents] = {};
  std::unique_ptr<HostGraph> graph_;
};

}  // namespace

std::vector<FoundDevice> findDevices(std::string&) {
  return {{"host executor", "runs kernels on this processor, for tests", 0}};
}
std::unique_ptr<Runtime> makeRuntime() { return std::make_unique<HostRuntime>(); }
const char* moduleName() { return "cuda-host"; }
const char* moduleLabel() { return "CUDA kernels on the processor (tests)"; }
bool hasBf16Tiles() { return true; }

}  // namespace moe::cuda
