#pragma once
#include <cstdint>
#include <optional>

namespace moe {

/// What the process has held at most since a run began, less what it held before: the run's own peak, comparable with
/// predictedMemory. The window's own growth counts with it; beside a run it is small. Linux tells it, others may not.
class PeakMemory {
 public:
  /// `held`: bytes that the caller holds now and gives back before the run is at its peak.
  void begin(std::int64_t held);
  std::optional<std::int64_t> bytes() const;

 private:
  std::optional<std::int64_t> before_;
};

}  // namespace moe
