#pragma once
// A backend in a shared library of its own, libswitchyard_NAME.so, opened while the program runs (core/backend/modules.h).
// It defines
//
//   extern "C" SWITCHYARD_MODULE_EXPORT const moe::BackendModule* switchyardBackendModule();
//
// and links the engine statically with everything hidden but that function: switchyard_add_backend_module in CMake does.
// Nothing unloads it, so what it made, and what it threw, may outlive any scope. What crosses: values of these headers,
// moe::Error and std::bad_alloc as exceptions.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/backend.h"

#define SWITCHYARD_MODULE_EXPORT __attribute__((visibility("default")))

// What a program and its modules must agree on to the last character: the headers (a hash that the build computes), the
// compiler with the version of its binary interface, and the C++ library.
#define SWITCHYARD_TEXT_OF(value) #value
#define SWITCHYARD_TEXT(value) SWITCHYARD_TEXT_OF(value)
#if defined(__clang__)
#define SWITCHYARD_COMPILER "clang " SWITCHYARD_TEXT(__clang_major__)
#else
#define SWITCHYARD_COMPILER "g++ " SWITCHYARD_TEXT(__GNUC__)
#endif
#if defined(_LIBCPP_VERSION)
#define SWITCHYARD_LIBRARY "libc++ " SWITCHYARD_TEXT(_LIBCPP_VERSION)
#else
#define SWITCHYARD_LIBRARY "libstdc++ " SWITCHYARD_TEXT(_GLIBCXX_RELEASE) "." SWITCHYARD_TEXT(_GLIBCXX_USE_CXX11_ABI)
#endif
#if defined(_GLIBCXX_DEBUG)
#define SWITCHYARD_CHECKED ", checked containers"
#else
#define SWITCHYARD_CHECKED ""
#endif
/// Whoever uses it defines SWITCHYARD_HEADERS, the hash.
#define SWITCHYARD_MODULE_INTERFACE           \
  SWITCHYARD_HEADERS ", " SWITCHYARD_COMPILER \
                     " abi " SWITCHYARD_TEXT(__GXX_ABI_VERSION) ", " SWITCHYARD_LIBRARY SWITCHYARD_CHECKED

namespace moe {

/// What a backend computes on.
struct DeviceRow {
  std::string name;              // "NVIDIA H100 80GB HBM3"
  std::string detail;            // "compute capability 9.0"
  std::int64_t memoryBytes = 0;  // all that it has
};

/// Or why there is none: a sentence that a person can act on.
struct DeviceList {
  std::vector<DeviceRow> devices;
  std::string reason;
};

/// The functions may be called from any thread, and often: looking for devices is done once. None throws but `make`.
struct BackendModule {
  const char* interface = nullptr;  // SWITCHYARD_MODULE_INTERFACE of its own build; read before anything else
  const char* name = nullptr;       // "cuda", as in the file's name
  const char* label = nullptr;      // "GPU (CUDA)"
  DeviceList (*devices)() = nullptr;
  /// Why it cannot compute in this type on the device that it would take; empty: it can.
  std::string (*refusal)(DType type) = nullptr;
  /// See moe::codeBytes.
  std::int64_t (*codeBytes)(DType type) = nullptr;
  /// Throws Error("backend") for no device or a compute type it cannot do, std::bad_alloc.
  std::unique_ptr<Backend> (*make)(const BackendOptions& options) = nullptr;
  /// The stages of this recipe that it routes on the host instead of its device, as a sentence; empty: none.
  std::string (*hostRouted)(const Recipe& recipe) = nullptr;
};

}  // namespace moe

/// Of a module, under this very name.
extern "C" using SwitchyardBackendModule = const moe::BackendModule * ();
inline constexpr char kSwitchyardBackendModule[] = "switchyardBackendModule";
