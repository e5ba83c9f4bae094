#include "core/session/store_thread.h"

#include <chrono>
#include <exception>
#include <utility>

#include "core/base/error.h"

namespace moe {

namespace {
constexpr std::chrono::milliseconds kBetweenLooks(1000);
}

StoreThread::StoreThread(std::filesystem::path file) : now_(std::move(file)), thread_([this] { run(); }) {}

StoreThread::~StoreThread() {
  std::unique_ptr<StoreServer> server;
  std::future<void> gone;
  {
    const std::lock_guard lock(mutex_);
    alone_ = true;
    server = std::move(server_);
    gone = std::move(serverGone_);
  }
  server.reset();  // answers what it was asked, through the thread below
  if (gone.valid()) gone.wait();
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void StoreThread::post(Work work, Failed failed) {
  {
    const std::lock_guard lock(mutex_);
    items_.push_back({std::move(work), std::move(failed)});
    ++posted_;
  }
  changed_.notify_all();
}

void StoreThread::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this, until = posted_] { return done_ >= until; });
}

std::string StoreThread::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

std::filesystem::path StoreThread::file() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

std::string StoreThread::news() const {
  const std::lock_guard lock(mutex_);
  return news_;
}

std::uint64_t StoreThread::openings() const {
  const std::lock_guard lock(mutex_);
  return openings_;
}

void StoreThread::setReport(std::function<void()> report) {
  const std::lock_guard lock(mutex_);
  report_ = std::move(report);
}

void StoreThread::open() {
  std::string problem;
  try {
    store_ = RunStore::open(now_, RunStore::Access::shared);
  } catch (const std::exception& refused) {
    problem = refused.what();
    // What is there can still be read, so that the runs of another process are listed.
    try {
      if (!store_) store_ = RunStore::open(now_, RunStore::Access::readOnly);
    } catch (const std::exception&) { store_.reset(); }
  }
  const std::lock_guard lock(mutex_);
  if (problem.empty()) ++openings_;
  problem_ = std::move(problem);
}

void StoreThread::look() {
  const auto standing = [this] {
    const std::lock_guard lock(mutex_);
    return std::pair(problem_, openings_);
  };
  const auto before = standing();
  if (store_ && store_->access() != RunStore::Access::readOnly) {
    if (store_->isLost()) writeAnew();
  } else {
    open();
  }
  if (standing() == before) return;
  serveOthers();
  std::function<void()> report;
  {
    const std::lock_guard lock(mutex_);
    report = report_;
  }
  if (report) report();
}

void StoreThread::writeAnew() {
  {
    // Other programs ask anew. Its end waits for what they asked, which is done on this thread.
    const std::lock_guard lock(mutex_);
    if (server_)
      serverGone_ =
          std::async(std::launch::async,
                     [server = std::shared_ptr<StoreServer>(std::move(server_))]() mutable { server.reset(); });
  }
  std::error_code code;
  const bool taken = std::filesystem::exists(now_, code);
  std::string problem, news;
  try {
    store_->writeAnew();
    news = now_.string() +
           (taken ? ": another file took this store's place. All runs were written anew to " + store_->file().string() +
                        ", where recording goes on; it can be chosen as the store."
                  : ": this store was deleted or moved away. All its runs were written anew under its name, and "
                    "recording goes on.");
  } catch (const std::exception& refused) {
    problem = now_.string() + ": this store was deleted, moved away or replaced, and could not be written anew yet (" +
              refused.what() + "). Training goes on; what it makes is kept in memory, and recorded when it can be.";
  }
  const std::lock_guard lock(mutex_);
  if (problem.empty()) {
    now_ = store_->file();
    news_ = std::move(news);
    ++openings_;
  }
  problem_ = std::move(problem);
}

void StoreThread::serveOthers() {
  if (!store_ || !store_->holds()) return;
  const std::lock_guard lock(mutex_);
  if (server_ || alone_) return;
  if (serverGone_.valid() && serverGone_.wait_for(std::chrono::seconds(0)) != std::future_status::ready) return;
  try {
    server_ = std::make_unique<StoreServer>(
        store_->file(), [this](Work work, Failed failed) { post(std::move(work), std::move(failed)); });
  } catch (const std::exception&) {
    alone_ =
        true;  // no place for a socket, or no thread: another program is told who holds the store, as it always was
  }
}

void StoreThread::run() {
  open();
  serveOthers();
  auto looked = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  for (bool did = true;;) {
    if (std::exchange(did, false)) ++done_;
    changed_.notify_all();
    const auto pause = problem_.empty() ? kBetweenLooks : 2 * kBetweenLooks;  // a try may take a while
    changed_.wait_until(lock, looked + pause, [this] { return closing_ || !items_.empty(); });
    if (const auto now = std::chrono::steady_clock::now(); now >= looked + pause || closing_) {
      // At the end only what was open is looked after: nothing new is begun.
      const bool due = !closing_ || problem_.empty();
      lock.unlock();
      if (due) look();
      looked = std::chrono::steady_clock::now();
      lock.lock();
    }
    if (items_.empty()) {
      if (closing_) break;
      continue;
    }
    did = true;
    const Item item = std::move(items_.front());
    items_.pop_front();
    const std::string unopened = problem_;
    lock.unlock();
    std::string sentence;
    try {
      if (store_)
        item.work(*store_);
      else
        sentence = unopened;
    } catch (const std::exception& error) { sentence = error.what(); }
    if (!sentence.empty() && item.failed) item.failed(sentence);
    serveOthers();
    lock.lock();
  }
  lock.unlock();
  store_.reset();
}

}  // namespace moe
