#pragma once
#include <chrono>
#include <cstdint>
#include <deque>

namespace moe {

/// Tokens a second over the last seconds of training. Rests do not count: `pause` forgets what was.
class Speedometer {
 public:
  using Clock = std::chrono::steady_clock;
  void pass(std::int64_t tokens, Clock::time_point now = Clock::now()) {
    passed_.push_back({now, total_ += tokens});
    while (passed_.size() > 2 && now - passed_.front().at > kSpan) passed_.pop_front();
  }
  void pause() { passed_.clear(); }
  /// 0 until two passes are there.
  double tokensPerSecond() const {
    if (passed_.size() < 2) return 0;
    const std::chrono::duration<double> seconds = passed_.back().at - passed_.front().at;
    return seconds.count() > 0 ? static_cast<double>(passed_.back().total - passed_.front().total) / seconds.count()
                               : 0;
  }

 private:
  static constexpr std::chrono::seconds kSpan{5};
  struct Passed {
    Clock::time_point at;
    std::int64_t total;
  };
  std::deque<Passed> passed_;
  std::int64_t total_ = 0;
};

}  // namespace moe
