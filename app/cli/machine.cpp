#include "app/cli/machine.h"

#include <fstream>
#include <thread>

namespace moe::cli {

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

}  // namespace moe::cli
