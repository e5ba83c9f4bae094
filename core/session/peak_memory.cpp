#include "core/session/peak_memory.h"

#include <fstream>
#include <string>

#include "core/train/run_config.h"

namespace moe {
namespace {

/// A line of this process's memory account, bytes: VmRSS now, VmHWM at its peak.
std::optional<std::int64_t> account(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key + ":")) return 1024 * std::stoll(line.substr(key.size() + 1));
  return std::nullopt;
}

}  // namespace

void PeakMemory::begin(std::int64_t held) {
  before_.reset();
  std::ofstream forget("/proc/self/clear_refs");
  forget << "5" << std::flush;  // the peak begins anew from what is held now
  if (!forget.good()) return;
  if (const auto now = account("VmRSS")) before_ = *now - held;
}

std::optional<std::int64_t> PeakMemory::bytes() const {
  const auto peak = before_ ? account("VmHWM") : std::nullopt;
  if (!peak) return std::nullopt;
  return *peak - *before_ + kProgramMemory;
}

}  // namespace moe
