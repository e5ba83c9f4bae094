#pragma once
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "core/backend/backend_options.h"

namespace moe {
class Backend;
}

namespace moe::cli {

/// --backend of every command that computes: one of those that this program finds (core/backend/registry.h).
CLI::Option* addBackendOption(CLI::App& command, std::string& backend, const std::string& whenLeftOut);

/// The backend that a stored model is computed on: the one asked for, else its own; where that one is not here, the
/// processor, which is said on standard error.
std::unique_ptr<Backend> backendOfStored(BackendOptions own, const std::string& asked);

}  // namespace moe::cli
