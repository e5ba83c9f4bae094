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

/// Threads that the system lets this process have at once, its present one among them: `wanted`, or fewer where a limit of the
/// account or of memory stands before it. OpenMP would end the program there.
int threadsGiven(int wanted);

}  // namespace moe
