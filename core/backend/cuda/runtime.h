#pragma once
// The seam to the machine: one device, its memory and one stream of work. Two bodies: runtime_cuda.cu on NVIDIA's
// driver, and the host executor of the tests. Belongs to the backend's thread. Every failure throws moe::Error("cuda")
// with the driver's words; memory that is not there throws std::bad_alloc after one.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/cuda/device.cuh"
#include "core/tensor/dtype.h"

namespace moe::cuda {

/// C (rows, columns) = A (rows, inner) B (inner, columns) + bias, or added to what C holds; all row-major. A transposed operand
/// is stored the other way round: A as (inner, rows), B as (columns, inner). a and b are both f32 or both bf16; sums are
/// f32, and c is f32.
struct Product {
  std::int64_t rows = 0, columns = 0, inner = 0;
  const void *a = nullptr, *b = nullptr;
  float* c = nullptr;
  const float* bias = nullptr;  // (columns), added to every row
  DType dtype = DType::f32;     // of a and b
  bool aTransposed = false, bTransposed = false, accumulate = false;
};

/// One kernel as the queue keeps it.
struct Launch {
  const void* entry = nullptr;
  Axes grid;
  int threads = 0, sharedBytes = 0;
  const void* arguments = nullptr;  // the kernel struct, and its size rounded up
  std::size_t argumentBytes = 0;
};

class Graph {
 public:
  virtual ~Graph() = default;
};

class Runtime {
 public:
  virtual ~Runtime() = default;

  virtual std::string deviceName() const = 0;
  virtual int multiprocessors() const = 0;
  virtual int sharedBytesPerBlock() const = 0;  // at most, opted in

  virtual void* allocate(std::size_t bytes) = 0;  // zeroed before anything enqueued later
  virtual void release(void* memory) = 0;         // waits for the device
  virtual void* allocateHost(std::size_t bytes) = 0;
  virtual void releaseHost(void* memory) = 0;

  // Enqueued on the stream.
  virtual void launch(const Launch& launch) = 0;
  virtual void multiply(const Product& product) = 0;
  virtual void copy(void* to, const void* from, std::size_t bytes) = 0;  // other host memory: synchronize() at once
  virtual void clear(void* at, std::size_t bytes) = 0;

  /// What is enqueued from beginGraph to endGraph is kept instead of run.
  virtual void beginGraph() = 0;
  virtual std::unique_ptr<Graph> endGraph() = 0;
  virtual void run(const Graph& graph) = 0;

  /// A mark behind what was enqueued; `index` below kEvents.
  static constexpr int kEvents = 16;
  virtual void mark(int index) = 0;
  virtual void waitFor(int index) = 0;
  virtual void synchronize() = 0;
  /// Seconds between two marks that have passed.
  virtual double secondsBetween(int first, int second) = 0;
};

/// A device as people choose it.
struct FoundDevice {
  std::string name, detail;
  std::int64_t memoryBytes = 0;
};
/// The devices that this body can use; none: `why` says it in a sentence.
std::vector<FoundDevice> findDevices(std::string& why);
std::unique_ptr<Runtime> makeRuntime();
/// "cuda", or the tests' "cuda-host"; and for people.
const char* moduleName();
const char* moduleLabel();
/// Whether products of bf16 run on the device at more than f32's speed.
bool hasBf16Tiles();

}  // namespace moe::cuda
