#include "core/base/signals.h"

#include <pthread.h>

#include <utility>

namespace moe {

void takeNoSignals() {
  sigset_t all;
  sigfillset(&all);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGABRT, SIGPIPE, SIGXFSZ})
    sigdelset(&all, own);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

EndingSignals::EndingSignals() {
  sigemptyset(&signals_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction now {};
    sigaction(signal, nullptr, &now);
    if (now.sa_handler != SIG_IGN) sigaddset(&signals_, signal);
  }
  sigaddset(&signals_, SIGTERM);  // by which the destructor wakes the waiter
  pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
  waiter_ = std::thread([this] { wait(); });
}

EndingSignals::~EndingSignals() {
  closing_ = true;
  pthread_kill(waiter_.native_handle(), SIGTERM);
  waiter_.join();
  pthread_sigmask(SIG_UNBLOCK, &signals_, nullptr);
}

void EndingSignals::endGently(std::function<void()> asked) {
  const std::lock_guard lock(mutex_);
  tell_ = std::move(asked);
  gently_ = true;
}

void EndingSignals::wait() {
  for (int signal = 0; sigwait(&signals_, &signal) == 0;) {
    if (closing_) return;
    if (gently_ && !asked_.exchange(true)) {
      const std::lock_guard lock(mutex_);
      if (tell_) tell_();
      continue;
    }
    std::signal(signal, SIG_DFL);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, signal);
    pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
    std::raise(signal);
  }
}

}  // namespace moe
