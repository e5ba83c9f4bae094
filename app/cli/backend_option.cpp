#include "app/cli/backend_option.h"

#include <cstdio>

#include "core/backend/backend.h"
#include "core/backend/registry.h"

namespace moe::cli {

CLI::Option* addBackendOption(CLI::App& command, std::string& backend, const std::string& whenLeftOut) {
  return command.add_option("--backend", backend, "What computes: " + backendNamesText() + " (" + whenLeftOut + ")")
      ->check([](const std::string& name) { return backendProblem(name); });
}

std::unique_ptr<Backend> backendOfStored(BackendOptions own, const std::string& asked) {
  if (!asked.empty()) {
    own.name = asked;
  } else if (const std::string problem = backendProblem(own.name); !problem.empty()) {
    std::fprintf(stderr, "Computed on the processor: %s\n", problem.c_str());
    own.name = kProcessorBackend;
  }
  if (!computeTypeProblem(own.name, own.computeType).empty() || !canCompute(own.name, own.computeType))
    own.computeType = DType::f32;
  return makeBackend(own);
}

}  // namespace moe::cli
