#include "core/session/training_session.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <thread>
#include <utility>

#include "core/base/signals.h"
#include "core/session/mailbox.h"
#include "core/session/recorder.h"
#include "core/session/worker.h"

namespace moe {

struct TrainingSession::Impl {
  const Options options;
  Mailbox mailbox;
  OutTray out;
  std::unique_ptr<StoreThread> store;  // null: nothing is recorded
  std::thread thread;                  // last: starts when all else stands

  explicit Impl(Options given) : options(std::move(given)) {
    if (!options.store.empty()) store = std::make_unique<StoreThread>(options.store);
    thread = std::thread([this] { work(); });
  }
  ~Impl() {
    mailbox.close();
    thread.join();
  }

  /// The training thread. Its priority is set before its first parallel region, so that its team inherits it.
  void work() {
    takeNoSignals();
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), options.nice);
    if (store) store->setReport([this] { mailbox.wake(); });
    Recorder recorder(store.get(), [this] { mailbox.wake(); });
    Worker(options, mailbox, out, recorder).run();
  }
};

TrainingSession::TrainingSession(Options options) : impl_(std::make_unique<Impl>(std::move(options))) {}

TrainingSession::~TrainingSession() = default;

void TrainingSession::post(Command command) { impl_->mailbox.post(std::move(command)); }

Outbox TrainingSession::take() { return impl_->out.take(); }

void TrainingSession::setNotifier(std::function<void()> notifier) { impl_->out.setNotifier(std::move(notifier)); }

void TrainingSession::withStore(StoreThread::Work work, StoreThread::Failed failed) {
  if (impl_->store) {
    impl_->store->post(std::move(work), std::move(failed));
  } else if (failed) {
    failed("Nothing is recorded in this session, so there are no stored runs.");
  }
}

}  // namespace moe
