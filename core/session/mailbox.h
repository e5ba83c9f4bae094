#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <vector>

#include "core/session/training_session.h"

namespace moe {

/// Commands on their way to the worker. Any thread posts, the worker takes; the lock is held only to swap.
class Mailbox {
 public:
  void post(Command command);
  /// Lets a waiting worker look around, without a command.
  void wake();
  /// No more commands count: the worker is to end.
  void close();
  bool closed() const;

  /// What came since, in order. With `wait`, sleeps until there is something, a wake or the close, at most so long.
  std::vector<Command> take(bool wait, std::chrono::milliseconds atMost = std::chrono::hours(24));

 private:
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  // Guarded by mutex_.
  std::vector<Command> commands_;
  bool woken_ = false, closed_ = false;
};

/// Values on their way out. The worker puts, one other thread takes. The notifier is called once for each time the tray
/// turns from empty to not empty.
class OutTray {
 public:
  void put(const std::function<void(Outbox&)>& add);
  Outbox take();
  /// After it returns, the notifier before is not running and never called again.
  void setNotifier(std::function<void()> notifier);

 private:
  void notify();

  std::mutex mutex_;
  // Guarded by mutex_.
  Outbox outbox_;
  bool waiting_ = false;  // something was put and not yet taken

  std::mutex notifierMutex_;
  std::function<void()> notifier_;  // guarded by notifierMutex_, also while it runs
};

}  // namespace moe
