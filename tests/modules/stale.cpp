// Built for another version of the program.
#undef SWITCHYARD_HEADERS
#define SWITCHYARD_HEADERS "0123456789abcdef"
#include "core/backend/module.h"

extern "C" SWITCHYARD_MODULE_EXPORT const moe::BackendModule* switchyardBackendModule() {
  static const moe::BackendModule module{.interface = SWITCHYARD_MODULE_INTERFACE};
  return &module;
}
