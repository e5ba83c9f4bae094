#pragma once
// Signals and threads that compute: oneDNN's products move the stack pointer into their workspace, so that a handler which
// runs on such a thread writes over the heap (oneDNN #4845; issue 10). Threads that compute take no signal; one that waits does.
#include <atomic>
#include <csignal>
#include <functional>
#include <mutex>
#include <thread>

namespace moe {

/// From here on, this thread and those it begins take no signal but those that its own instructions cause.
void takeNoSignals();

/// The process's one waiter for SIGINT, SIGTERM and SIGHUP. Made before any other thread begins, which then inherit that
/// they do not take these; a signal that whoever started the program had ignored (nohup) stays ignored.
class EndingSignals {
 public:
  EndingSignals();
  ~EndingSignals();
  EndingSignals(const EndingSignals&) = delete;
  EndingSignals& operator=(const EndingSignals&) = delete;

  /// Until this is called a signal ends the process at once, as usual. Afterwards the first one calls `asked`, on the
  /// waiting thread, and only the second ends the process. Called again it replaces `asked`, which has then returned. Any thread.
  void endGently(std::function<void()> asked = {});
  /// Whether the first signal has come. Any thread.
  bool asked() const { return asked_; }

 private:
  void wait();

  sigset_t signals_{};
  std::atomic<bool> gently_{false}, asked_{false}, closing_{false};
  std::mutex mutex_;  // guards tell_
  std::function<void()> tell_;
  std::thread waiter_;  // last: begins when all else stands
};

}  // namespace moe
