#pragma once
#include <cstdlib>
#include <memory>

#include "core/backend/backend.h"

namespace moe::test {

/// The stand-in for the CUDA backend is where this process looks for modules. Set before main: modules are listed once.
inline const bool kCudaHostIsFound = ::setenv("SWITCHYARD_MODULES", SWITCHYARD_BINARY_DIR "/tests/cuda_host", 1) == 0;

/// core/backend/cuda on the host executor.
inline std::unique_ptr<Backend> cudaHost(DType computeType = DType::f32) {
  return makeBackend({.name = "cuda-host", .threads = 1, .computeType = computeType});
}

}  // namespace moe::test
