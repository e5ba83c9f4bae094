// A driver without a device.
#include "core/backend/backend.h"
#include "core/backend/module.h"
#include "core/base/error.h"

extern "C" SWITCHYARD_MODULE_EXPORT const moe::BackendModule* switchyardBackendModule() {
  using namespace moe;
  static const BackendModule module{
      .interface = SWITCHYARD_MODULE_INTERFACE,
      .name = "empty",
      .label = "Empty",
      .devices =
          [] {
            return DeviceList{{}, "expected a device, found none; plug one in"};
          },
      .refusal = [](DType) { return std::string(); },
      .codeBytes = [](DType) { return std::int64_t{0}; },
      .make = [](const BackendOptions&) -> std::unique_ptr<Backend> { throw Error("backend", "there is no device"); },
      .hostRouted = [](const Recipe&) { return std::string(); }};
  return &module;
}
