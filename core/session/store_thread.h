#pragma once
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "core/store/run_store.h"
#include "core/store/store_server.h"

namespace moe {

/// The one thread on which SQL runs. Owns the RunStore; work is done in the order it was posted. The recorder writes
/// through it, and so do the pages that list, rename, open and export runs, so that a store has one writer and neither the
/// training nor the window ever waits for a disk. Where another process holds the store, that one records for this; where
/// this one does, it records for others. A file that is deleted or replaced meanwhile is written anew, from what is still open
/// of it; one that cannot be opened is tried again. All methods may be called from any thread.
class StoreThread {
 public:
  using Work = std::function<void(RunStore&)>;
  using Failed = std::function<void(const std::string& sentence)>;

  /// Opens `file` on the new thread: to share it, or, where another process holds it for itself, for reading only.
  explicit StoreThread(std::filesystem::path file);
  /// Does everything that was posted, then closes the store.
  ~StoreThread();

  /// Never blocks. `failed` is called on the store's thread, where `work` throws or no store could be opened.
  void post(Work work, Failed failed = {});
  /// Waits until everything posted so far is done.
  void finish();
  /// Why nothing is being recorded, as a sentence with its remedy; empty while the store is open for writing.
  std::string problem() const;
  /// Where the runs are recorded now.
  std::filesystem::path file() const;
  /// What happened to the store while it was open, as a sentence; empty: nothing.
  std::string news() const;
  /// Changes whenever a store was opened for writing, or written anew.
  std::uint64_t openings() const;
  /// Called on the store's thread when one of these changed; set before anything is posted.
  void setReport(std::function<void()> report);

 private:
  struct Item {
    Work work;
    Failed failed;
  };
  void run();
  void open();
  /// Every so often: a store that could not be opened is tried again, one that was lost is written anew.
  void look();
  void writeAnew();
  /// Where this process has come to hold the store, others may ask it.
  void serveOthers();

  std::unique_ptr<RunStore> store_;  // the store's thread only
  mutable std::mutex mutex_;         // guards what follows
  std::condition_variable changed_;
  std::deque<Item> items_;
  std::uint64_t posted_ = 1, done_ = 0;   // items; the first is the opening
  bool closing_ = false, alone_ = false;  // alone: others are no longer served, or cannot be
  std::unique_ptr<StoreServer> server_;
  std::string problem_, news_;
  std::filesystem::path now_;  // file(), or beside it where that was taken
  std::uint64_t openings_ = 0;
  std::future<void> serverGone_;  // the end of one whose store was lost
  std::function<void()> report_;
  std::thread thread_;  // last: starts when all else stands
};

}  // namespace moe
