#include "core/session/store_thread.h"

#include <exception>
#include <utility>

#include "core/base/error.h"

namespace moe {

StoreThread::StoreThread(std::filesystem::path file) : file_(std::move(file)), thread_([this] { run(); }) {}

StoreThread::~StoreThread() {
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
  }
  changed_.notify_all();
}

void StoreThread::finish() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return items_.empty() && !busy_; });
}

std::string StoreThread::problem() const {
  const std::lock_guard lock(mutex_);
  return problem_;
}

void StoreThread::open() {
  std::string problem;
  try {
    store_ = RunStore::open(file_, RunStore::Access::write);
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

void StoreThread::run() {
  open();
  std::unique_lock lock(mutex_);
  for (;;) {
    busy_ = false;
    changed_.notify_all();
    changed_.wait(lock, [this] { return closing_ || !items_.empty(); });
    if (items_.empty()) break;
    const Item item = std::move(items_.front());
    items_.pop_front();
    busy_ = true;
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
    lock.lock();
  }
  lock.unlock();
  store_.reset();
}

}  // namespace moe
