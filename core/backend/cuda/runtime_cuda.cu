// The seam's body on NVIDIA's driver: one stream, and cuBLASLt for dense products.
#include <cublasLt.h>
#include <cuda_runtime.h>

#include <algorithm>
#include <map>
#include <new>
#include <tuple>

#include "core/backend/cuda/runtime.h"
#include "core/base/error.h"

namespace moe::cuda {
namespace {

constexpr std::size_t kWorkspaceBytes = std::size_t{64} << 20;

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // the next call is not to blame
  if (status == cudaErrorMemoryAllocation) throw std::bad_alloc();
  throw Error("cuda", std::string(what) + " failed: " + cudaGetErrorString(status) +
                          ". Save what you can and start again; switchyard-cli devices shows what the driver says.");
}
void check(cublasStatus_t status, const char* what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  if (status == CUBLAS_STATUS_ALLOC_FAILED) throw std::bad_alloc();
  throw Error("cuda", std::string(what) + " failed in cuBLASLt: " + cublasLtGetStatusString(status));
}

/// Any kernel: whether the module holds code for the device.
struct Probe {
  static constexpr const char* kName = "probe";
  static constexpr int kThreads = 32;
  int* out;
  MOE_DEVICE void operator()() const { *out = 0; }
};

struct CudaGraph final : Graph {
  cudaGraphExec_t graph = nullptr;
  ~CudaGraph() override { cudaGraphExecDestroy(graph); }
};

/// A product as cuBLASLt knows it, column-major: C^T (columns, rows) = B^T A^T.
class Plan {
 public:
  Plan(cublasLtHandle_t handle, const Product& p) {
    const cudaDataType_t operand = p.dtype == DType::bf16 ? CUDA_R_16BF : CUDA_R_32F;
    check(cublasLtMatmulDescCreate(&product_, CUBLAS_COMPUTE_32F, CUDA_R_32F), "A product's description");
    set(CUBLASLT_MATMUL_DESC_TRANSA, p.bTransposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_TRANSB, p.aTransposed ? CUBLAS_OP_T : CUBLAS_OP_N);
    if (p.bias != nullptr) {
      set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
      set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
    }
    left_ = p.bTransposed ? layout(operand, p.inner, p.columns) : layout(operand, p.columns, p.inner);
    right_ = p.aTransposed ? layout(operand, p.rows, p.inner) : layout(operand, p.inner, p.rows);
    out_ = layout(CUDA_R_32F, p.columns, p.rows);
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference), "A product's preference");
    const std::size_t workspace = kWorkspaceBytes;
    cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &workspace,
                                         sizeof(workspace));
    const auto alignment = [&](cublasLtMatmulPreferenceAttributes_t side, const void* at) {
      const std::uint32_t bytes = alignmentOf(at);
      cublasLtMatmulPreferenceSetAttribute(preference, side, &bytes, sizeof(bytes));
    };
    alignment(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES, p.b);
    alignment(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES, p.a);
    alignment(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES, p.c);
    alignment(CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES, p.c);
    cublasLtMatmulHeuristicResult_t found = {};
    int count = 0;
    const auto status =
        cublasLtMatmulAlgoGetHeuristic(handle, product_, left_, right_, out_, out_, preference, 1, &found, &count);
    cublasLtMatmulPreferenceDestroy(preference);
    check(status, "Choosing a product's algorithm");
    if (count == 0)
      throw Error("cuda", "cuBLASLt knows no way to multiply (" + std::to_string(p.rows) + ", " +
                              std::to_string(p.inner) + ") by (" + std::to_string(p.inner) + ", " +
                              std::to_string(p.columns) + ")");
    algorithm_ = found.algo;
  }
  ~Plan() {
    cublasLtMatrixLayoutDestroy(left_);
    cublasLtMatrixLayoutDestroy(right_);
    cublasLtMatrixLayoutDestroy(out_);
    cublasLtMatmulDescDestroy(product_);
  }
  Plan(const Plan&) = delete;

  void run(cublasLtHandle_t handle, const Product& p, void* workspace, cudaStream_t stream) {
    const float one = 1, beta = p.accumulate ? 1 : 0;
    if (p.bias != nullptr) set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, p.bias);
    check(cublasLtMatmul(handle, product_, &one, p.b, left_, p.a, right_, &beta, p.c, out_, p.c, out_, &algorithm_,
                         workspace, kWorkspaceBytes, stream),
          "A product");
  }

  static std::uint32_t alignmentOf(const void* at) {
    const auto address = reinterpret_cast<std::uintptr_t>(at);
    return static_cast<std::uint32_t>(std::min<std::uintptr_t>(address & (~address + 1), 256));
  }

 private:
  template <class T>
  void set(cublasLtMatmulDescAttributes_t attribute, T value) {
    check(cublasLtMatmulDescSetAttribute(product_, attribute, &value, sizeof(value)), "A product's description");
  }
  static cublasLtMatrixLayout_t layout(cudaDataType_t type, std::int64_t rows, std::int64_t columns) {
    cublasLtMatrixLayout_t made = nullptr;
    check(cublasLtMatrixLayoutCreate(&made, type, static_cast<std::uint64_t>(rows), static_cast<std::uint64_t>(columns),
                                     rows),
          "A matrix's layout");
    return made;
  }

  cublasLtMatmulDesc_t product_ = nullptr;
  cublasLtMatrixLayout_t left_ = nullptr, right_ = nullptr, out_ = nullptr;
  cublasLtMatmulAlgo_t algorithm_ = {};
};

class CudaRuntime final : public Runtime {
 public:
  CudaRuntime() {
    check(cudaSetDevice(0), "Choosing the GPU");
    check(cudaGetDeviceProperties(&device_, 0), "Reading the GPU's properties");
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "Making a stream");
    for (int i = 0; i < kEvents; ++i) check(cudaEventCreate(&events_[i]), "Making an event");
    check(cublasLtCreate(&handle_), "Starting cuBLASLt");
    check(cudaMalloc(&workspace_, kWorkspaceBytes), "Allocating cuBLASLt's workspace");
  }
  ~CudaRuntime() override {
    cudaStreamSynchronize(stream_);
    plans_.clear();
    cudaFree(workspace_);
    cublasLtDestroy(handle_);
    for (cudaEvent_t event : events_) cudaEventDestroy(event);
    cudaStreamDestroy(stream_);
  }

  std::string deviceName() const override { return device_.name; }
  int multiprocessors() const override { return device_.multiProcessorCount; }
  int sharedBytesPerBlock() const override { return static_cast<int>(device_.sharedMemPerBlockOptin); }

  void* allocate(std::size_t bytes) override {
    void* memory = nullptr;
    check(cudaMalloc(&memory, bytes), "Allocating memory on the GPU");
    clear(memory, bytes);
    return memory;
  }
  void release(void* memory) override {
    cudaStreamSynchronize(stream_);
    cudaFree(memory);
  }
  void* allocateHost(std::size_t bytes) override {
    void* memory = nullptr;
    check(cudaMallocHost(&memory, bytes), "Allocating memory for transfers");
    return memory;
  }
  void releaseHost(void* memory) override {
    cudaStreamSynchronize(stream_);
    cudaFreeHost(memory);
  }

  void launch(const Launch& launch) override {
    if (launch.sharedBytes > kSharedUnasked) {
      int& allowed = allowed_[launch.entry];
      if (launch.sharedBytes > allowed) {
        check(cudaFuncSetAttribute(launch.entry, cudaFuncAttributeMaxDynamicSharedMemorySize, launch.sharedBytes),
              "Asking for shared memory");
        allowed = launch.sharedBytes;
      }
    }
    void* arguments[] = {const_cast<void*>(launch.arguments)};
    check(cudaLaunchKernel(launch.entry, dim3(launch.grid.x, launch.grid.y, launch.grid.z), dim3(launch.threads),
                           arguments, launch.sharedBytes, stream_),
          "Starting a kernel");
  }
  void multiply(const Product& p) override {
    const Key key{
        p.rows,
        p.columns,
        p.inner,
        static_cast<int>(p.dtype) * 16 + p.aTransposed + 2 * p.bTransposed + 4 * (p.bias != nullptr) + 8 * p.accumulate,
        Plan::alignmentOf(p.a),
        Plan::alignmentOf(p.b),
        Plan::alignmentOf(p.c)};
    auto& plan = plans_[key];
    if (!plan) plan = std::make_unique<Plan>(handle_, p);
    plan->run(handle_, p, workspace_, stream_);
  }
  void copy(void* to, const void* from, std::size_t bytes) override {
    check(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_), "A copy");
  }
  void clear(void* at, std::size_t bytes) override { check(cudaMemsetAsync(at, 0, bytes, stream_), "Clearing memory"); }

  void beginGraph() override {
    check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "Recording a step");
  }
  std::unique_ptr<Graph> endGraph() override {
    cudaGraph_t recorded = nullptr;
    check(cudaStreamEndCapture(stream_, &recorded), "Recording a step");
    auto graph = std::make_unique<CudaGraph>();
    const cudaError_t status = cudaGraphInstantiate(&graph->graph, recorded, 0);
    cudaGraphDestroy(recorded);
    check(status, "Preparing a step");
    return graph;
  }
  void run(const Graph& graph) override {
    check(cudaGraphLaunch(static_cast<const CudaGraph&>(graph).graph, stream_), "Starting a step");
  }

  void mark(int index) override { check(cudaEventRecord(events_[index], stream_), "Marking the stream"); }
  void waitFor(int index) override { check(cudaEventSynchronize(events_[index]), "Waiting for the GPU"); }
  void synchronize() override { check(cudaStreamSynchronize(stream_), "Waiting for the GPU"); }
  double secondsBetween(int first, int second) override {
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, events_[first], events_[second]), "Reading the GPU's clock");
    return static_cast<double>(milliseconds) / 1000;
  }

 private:
  static constexpr int kSharedUnasked = 48 * 1024;
  using Key = std::tuple<std::int64_t, std::int64_t, std::int64_t, int, std::uint32_t, std::uint32_t, std::uint32_t>;

  cudaDeviceProp device_ = {};
  cudaStream_t stream_ = nullptr;
  cudaEvent_t events_[kEvents] = {};
  cublasLtHandle_t handle_ = nullptr;
  void* workspace_ = nullptr;
  std::map<Key, std::unique_ptr<Plan>> plans_;
  std::map<const void*, int> allowed_;
};

}  // namespace

std::vector<FoundDevice> findDevices(std::string& why) {
  int count = 0, driver = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();
  cudaDriverGetVersion(&driver);
  const auto version = [](int number) {
    return std::to_string(number / 1000) + "." + std::to_string(number % 1000 / 10);
  };
  if (driver == 0) {
    why = "No NVIDIA driver answers on this machine; install the driver to compute on its GPU.";
  } else if (status == cudaErrorInsufficientDriver) {
    why = "The NVIDIA driver is too old: it speaks CUDA " + version(driver) + ", this module was built with CUDA " +
          version(CUDART_VERSION) + "; update the driver, or build the module with an older toolkit.";
  } else if (status == cudaErrorNoDevice || (status == cudaSuccess && count == 0)) {
    why = "The NVIDIA driver finds no GPU on this machine.";
  } else if (status != cudaSuccess) {
    why = std::string("The NVIDIA driver cannot be used: ") + cudaGetErrorString(status) + ".";
  }
  std::vector<FoundDevice> found;
  if (!why.empty()) return found;
  cudaDeviceProp device = {};
  if (cudaGetDeviceProperties(&device, 0) != cudaSuccess) {
    why = "The NVIDIA driver does not describe its GPU; see whether nvidia-smi does.";
    return found;
  }
  const auto chip = std::to_string(device.major) + "." + std::to_string(device.minor);
  cudaFuncAttributes attributes = {};
  if (cudaFuncGetAttributes(&attributes, entryOf<Probe>()) != cudaSuccess) {
    cudaGetLastError();
    why = std::string("The GPU, ") + device.name + ", has compute capability " + chip +
          ", and this module holds no code for it; build it anew on this machine with scripts/build cuda.";
    return found;
  }
  found.push_back({device.name, "compute capability " + chip + ", driver for CUDA " + version(driver),
                   static_cast<std::int64_t>(device.totalGlobalMem)});
  return found;
}

std::unique_ptr<Runtime> makeRuntime() { return std::make_unique<CudaRuntime>(); }
const char* moduleName() { return "cuda"; }
const char* moduleLabel() { return "GPU (CUDA)"; }
bool hasBf16Tiles() {
  cudaDeviceProp device = {};
  return cudaGetDeviceProperties(&device, 0) == cudaSuccess && device.major >= 8;
}

}  // namespace moe::cuda
