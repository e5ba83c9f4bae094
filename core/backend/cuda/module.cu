// What the programs find in this library: core/backend/module.h.
#include "core/backend/module.h"

#include <memory>
#include <string>

#include "core/backend/cuda/cuda_backend.h"
#include "core/backend/cuda/host_route.h"
#include "core/backend/cuda/runtime.h"
#include "core/base/error.h"

namespace moe::cuda {
namespace {

const DeviceList& deviceList() {
  static const DeviceList list = [] {
    DeviceList found;
    for (FoundDevice& device : findDevices(found.reason))
      found.devices.push_back({std::move(device.name), std::move(device.detail), device.memoryBytes});
    return found;
  }();
  return list;
}

std::string refusal(DType type) {
  const std::string name = moduleName();
  if (type != DType::f32 && type != DType::bf16)
    return name + ": expected compute type f32 or bf16, found " + std::string(nameOf(type)) + "; choose one of these";
  if (type == DType::bf16 && !hasBf16Tiles())
    return name +
           ": expected a GPU of compute capability 8.0 or newer for compute type bf16, found an older one; choose f32";
  return {};
}

std::unique_ptr<Backend> make(const BackendOptions& options) {
  if (deviceList().devices.empty()) throw Error("backend", deviceList().reason);
  if (const std::string problem = refusal(options.computeType); !problem.empty()) throw Error("backend", problem);
  return std::make_unique<CudaBackend>(makeRuntime(), options.computeType);
}

const BackendModule& module() {
  static const BackendModule table{.interface = SWITCHYARD_MODULE_INTERFACE,
                                   .name = moduleName(),
                                   .label = moduleLabel(),
                                   .devices = [] { return deviceList(); },
                                   .refusal = refusal,
                                   .codeBytes = [](DType) { return std::int64_t{0}; },
                                   .make = make,
                                   .hostRouted = hostRouted};
  return table;
}

}  // namespace
}  // namespace moe::cuda

extern "C" SWITCHYARD_MODULE_EXPORT const moe::BackendModule* switchyardBackendModule() { return &moe::cuda::module(); }
