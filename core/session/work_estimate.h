#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace moe {

/// Something slow as far as it has come, to be shown.
struct Work {
  std::string what;        // "reading the text"
  double share = 0;        // done, 0 to 1
  double secondsLeft = 0;  // 0: not known yet
  bool operator==(const Work&) const = default;
};

/// Tells from how far slow work has come how long it will still take.
class WorkEstimate {
 public:
  using Clock = std::chrono::steady_clock;
  /// What is to be shown of it now; nothing while it has hardly begun, and may be over before one has read it.
  std::optional<Work> pass(const std::string& what, double share, Clock::time_point now = Clock::now()) {
    if (what != what_ || share < share_) what_ = what, began_ = now, first_ = share;
    share_ = share;
    const std::chrono::duration<double> taken = now - began_;
    if (taken < kQuick) return std::nullopt;
    return Work{what, share, share > first_ ? taken.count() * (1 - share) / (share - first_) : 0};
  }

 private:
  static constexpr std::chrono::milliseconds kQuick{500};
  std::string what_;
  Clock::time_point began_;
  double share_ = 0, first_ = 0;
};

}  // namespace moe
