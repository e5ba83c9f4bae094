#include "core/session/mailbox.h"

#include <utility>

namespace moe {

void Mailbox::post(Command command) {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    commands_.push_back(std::move(command));
  }
  arrived_.notify_one();
}

void Mailbox::wake() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    woken_ = true;
  }
  arrived_.notify_one();
}

void Mailbox::close() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    closed_ = true;
  }
  arrived_.notify_one();
}

bool Mailbox::closed() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  return closed_;
}

std::vector<Command> Mailbox::take(bool wait, std::chrono::milliseconds atMost) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (wait) arrived_.wait_for(lock, atMost, [this] { return woken_ || closed_ || !commands_.empty(); });
  woken_ = false;
  return std::exchange(commands_, {});
}

void OutTray::put(const std::function<void(Outbox&)>& add) {
  bool first = false;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    add(outbox_);
    first = !std::exchange(waiting_, true);
  }
  if (first) notify();
}

Outbox OutTray::take() {
  const std::lock_guard<std::mutex> guard(mutex_);
  waiting_ = false;
  return std::exchange(outbox_, {});
}

void OutTray::setNotifier(std::function<void()> notifier) {
  {
    const std::lock_guard<std::mutex> guard(notifierMutex_);
    notifier_ = std::move(notifier);
  }
  bool waiting = false;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    waiting = waiting_;
  }
  if (waiting) notify();
}

void OutTray::notify() {
  const std::lock_guard<std::mutex> guard(notifierMutex_);
  if (notifier_) notifier_();
}

}  // namespace moe
