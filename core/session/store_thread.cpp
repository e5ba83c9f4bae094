#include "core/session/store_thread.h"

#include <exception>
#include <utility>

#include "core/base/error.h"

namespace moe {

StoreThread::StoreThread(std::filesystem::path file) : file_(std::move(file)), thread_([this] { run(); }) {}

StoreThread::~StoreThread() {
  std::unique_ptr<StoreServer> server;
  {
    const std::lock_guard lock(mutex_);
    alone_ = true;
    server = std::move(server_);
  }
  server.reset();  // answers what it was asked, through the thread below
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

void StoreThread::open() {
  std::string problem;
  try {
    store_ = RunStore::open(file_, RunStore::Access::shared);
  } catch (const std::exception& refused) {
    problem = refused.what();
    // What is there can still be read, so that the runs of another process are listed.
    try {
      store_ = RunStore::open(file_, RunStore::Access::readOnly);
    } catch (const std::exception&) {
      store_.reset();
    }
  }
  const std::lock_guard lock(mutex_);
  problem_ = std::move(problem);
}

void StoreThread::serveOthers() {
  if (!store_ || !store_->holds()) return;
  const std::lock_guard lock(mutex_);
  if (server_ || alone_) return;
  try {
    server_ = std::make_unique<StoreServer>(file_, [this](Work work, Failed failed) { post(std::move(work), std::move(failed)); });
  } catch (const Error&) {
    alone_ = true;  // no place for a socket: another program is told who holds the store, as it always was
  }
}

void StoreThread::run() {
  open();
  serveOthers();
  std::unique_lock lock(mutex_);
  for (;;) {
    ++done_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return closing_ || !items_.empty(); });
    if (items_.empty()) break;
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
    } catch (const std::exception& error) {
      sentence = error.what();
    }
    if (!sentence.empty() && item.failed) item.failed(sentence);
    serveOthers();
    lock.lock();
  }
  lock.unlock();
  store_.reset();
}

}  // namespace moe
