#pragma once
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/store/run_store.h"

namespace moe {

/// The one thread on which SQL runs. Owns the RunStore; work is done in the order it was posted. The recorder writes
/// through it, and so do the pages that list, rename, open and export runs, so that a store has one writer and neither the
/// training nor the window ever waits for a disk. All methods may be called from any thread.
class StoreThread {
 public:
  using Work = std::function<void(RunStore&)>;
  using Failed = std::function<void(const std::string& sentence)>;

  /// Opens `file` on the new thread: for writing, or, where another process holds it, for reading only.
  explicit StoreThread(std::filesystem::path file);
  /// Does everything that was posted, then closes the store.
  ~StoreThread();

  /// Never blocks. `failed` is called on the store's thread, where `work` throws or no store could be opened.
  void post(Work work, Failed failed = {});
  /// Waits until everything posted so far is done.
  void finish();
  /// Why nothing is being recorded, as a sentence with its remedy; empty while the store is open for writing.
  std::string problem() const;

 private:
  struct Item {
    Work work;
    Failed failed;
  };
  void run();
  void open();

  const std::filesystem::path file_;
  std::unique_ptr<RunStore> store_;            // the store's thread only
  mutable std::mutex mutex_;                   // guards what follows
  std::condition_variable changed_;
  std::deque<Item> items_;
  bool closing_ = false, busy_ = true;
  std::string problem_;
  std::thread thread_;                         // last: starts when all else stands
};

}  // namespace moe
