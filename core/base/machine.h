#pragma once
#include <cstdint>
#include <string>

namespace moe {

/// The processor's name as the system gives it, or "processor".
std::string processorName();
/// "AMD EPYC ..., 2 cores".
std::string machineName();
/// Bytes of memory that the machine has; 0 where the system does not say.
std::int64_t machineMemory();

}  // namespace moe
