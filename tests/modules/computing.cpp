#include <new>

#include "core/backend/backend.h"
#include "core/backend/module.h"
#include "core/backend/reference/reference_backend.h"
#include "core/base/error.h"

namespace {

using namespace moe;

/// The definition under another name, from inside a shared library.
class Computing : public ReferenceBackend {
 public:
  using ReferenceBackend::ReferenceBackend;
  std::string name() const override { return MODULE_NAME; }
};

DeviceList devices() { return {{{"Test device", "shares the processor", std::int64_t{4} << 30}}, {}}; }

std::string refusal(DType type) {
  return type == DType::f32 || type == DType::f64 ? std::string() : "expected compute type f32 or f64; choose f32";
}

// Thread counts that nobody has ask for failures.
std::unique_ptr<Backend> make(const BackendOptions& options) {
  if (options.threads == 1001) throw Error("backend", "the test device is on fire; put it out");
  if (options.threads == 1002) throw std::bad_alloc();
  return std::make_unique<Computing>(options.computeType);
}

std::string hostRouted(const Recipe& recipe) {
  if (recipe.select.kind != Recipe::Select::Kind::assignment) return {};
  return "Balanced assignment is routed on the processor.";
}

}  // namespace

extern "C" SWITCHYARD_MODULE_EXPORT const BackendModule* switchyardBackendModule() {
  static const BackendModule module{.interface = SWITCHYARD_MODULE_INTERFACE,
                                    .name = MODULE_NAME,
                                    .label = "Test device (" MODULE_NAME ")",
                                    .devices = devices,
                                    .refusal = refusal,
                                    .codeBytes = [](DType) { return std::int64_t{12345}; },
                                    .make = make,
                                    .hostRouted = hostRouted};
  return &module;
}
