#pragma once
#include <string>

namespace moe::cli {

/// The processor's name as the system gives it, or "processor".
std::string processorName();
/// "AMD EPYC ..., 2 cores".
std::string machineName();

}  // namespace moe::cli
