#include "core/base/machine.h"

#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <fstream>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

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

int threadsGiven(int wanted) {
  std::mutex mutex;
  std::condition_variable opened;
  bool open = false;
  std::vector<std::thread> begun;
  begun.reserve(static_cast<std::size_t>(std::max(0, wanted)));
  try {
    while (static_cast<int>(begun.size()) + 1 < wanted)
      begun.emplace_back([&] {
        std::unique_lock lock(mutex);
        opened.wait(lock, [&] { return open; });
      });
  } catch (const std::system_error&) {  // so many it gives
  }
  {
    const std::lock_guard lock(mutex);
    open = true;
  }
  opened.notify_all();
  for (std::thread& thread : begun) thread.join();
  return static_cast<int>(begun.size()) + 1;
}

}  // namespace moe
