#include "core/base/machine.h"

#include <unistd.h>

#include <fstream>
#include <thread>

namespace moe {

std::string processorName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name") && line.find(": ") != std::string::npos) return line.substr(line.find(": ") + 2);
  return "processor";
}

std::string machineName() {
  const unsigned cores = std::thread::hardware_concurrency();
  return processorName() + ", " + std::to_string(cores) + (cores == 1 ? " core" : " cores");
}

std::int64_t machineMemory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES), size = ::sysconf(_SC_PAGESIZE);
  return pages > 0 && size > 0 ? static_cast<std::int64_t>(pages) * size : 0;
}

}  // namespace moe
