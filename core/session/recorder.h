#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "core/formats/checkpoint.h"
#include "core/session/store_thread.h"
#include "core/telemetry/points.h"

namespace moe {

/// Hands what a training thread produces to the store's thread: rows about once a second, checkpoints with the rows
/// before them. What the store refuses is kept and tried again, and training goes on. What there is no room for on the disk
/// is kept with all that comes after it, and `flush` tries it again: meanwhile the one who trains should wait, as nothing
/// more can be saved. Used by one thread.
class Recorder {
 public:
  /// `store` null: nothing is recorded. `onReport` is called on the store's thread when a checkpoint was written or the
  /// problem changed.
  explicit Recorder(StoreThread* store, std::function<void()> onReport = {});
  /// Waits until all is on the disk, or refused.
  ~Recorder();

  /// Creates the run's row and waits for its number. A run that cannot be recorded gets a negative one.
  RunSummary create(RunSummary first);
  /// Whether a store is open to record in.
  bool canRecord() const { return store_ && store_->problem().empty(); }
  /// Creates the row of a run that got a negative number and could be recorded now, with all that it made since it began and
  /// memory held. Throws what keeps it from being recorded.
  RunSummary adopt(RunId unrecorded, RunSummary first);
  void add(const StepPoint& point);
  void add(const RunEvent& event);
  void add(std::shared_ptr<const RunStudy> study);
  void setState(RunId run, RunSummary::State state);
  void setTargetSteps(RunId run, std::int64_t steps);
  /// This process trains the run no more: another may.
  void release(RunId run);
  /// Writes folder/step-N, its row, and removes what retention lets go. Waits while another is being written, and only then
  /// calls `take`: no more than one copy of a training state is held.
  void save(RunId run, std::filesystem::path folder, const std::function<Checkpoint()>& take, bool healthy,
            bool pinned);

  /// Whether something waits for room on the disk.
  bool waitsForRoom() const;
  /// What to say of that, behind problem().
  static constexpr const char* kWaits =
      ". Training waits and goes on by itself when there is room; nothing is lost while this program runs.";
  /// How often one who waits should flush.
  static constexpr std::chrono::milliseconds kBetweenTries{500};

  /// Hands over the rows of the last second; `now`: all of them at once. Where something waits for room, tries that again,
  /// no more often than every kBetweenTries.
  void flush(bool now);
  /// Waits until everything is on the disk, refused, or waiting for room after one more try.
  void finish();

  /// Checkpoints written since the last call.
  std::vector<CheckpointRow> takeSaved();
  /// What happened to the store, as a sentence; empty: nothing.
  std::string news() const { return store_ ? store_->news() : std::string(); }
  /// Why something is not being recorded, as a sentence; empty: all is well.
  std::string problem() const;

  /// Runs `work(RunStore&)` after everything before it and waits for what it returns. Throws what it throws, or what
  /// keeps the store shut.
  template <class Work>
  auto ask(Work work) -> std::invoke_result_t<Work, RunStore&> {
    using Result = std::invoke_result_t<Work, RunStore&>;
    if (!store_) throw std::runtime_error("Nothing is recorded in this session, so there are no stored runs.");
    flush(true);
    auto task = std::make_shared<std::packaged_task<Result(RunStore&)>>(std::move(work));
    auto unopened = std::make_shared<std::promise<std::string>>();
    std::future<Result> result = task->get_future();
    std::future<std::string> refused = unopened->get_future();
    store_->post(
        [task, unopened](RunStore& store) {
          (*task)(store);
          unopened->set_value({});
        },
        [unopened](const std::string& sentence) { unopened->set_value(sentence); });
    if (const std::string sentence = refused.get(); !sentence.empty()) throw std::runtime_error(sentence);
    return result.get();
  }

 private:
  /// Something for the store's thread. `done` is called when it is written, refused, or replaced by a newer one.
  struct Item {
    StoreThread::Work work;
    std::function<void()> done;
    std::string Recorder::*problem;
    std::filesystem::path folder = {};  // of a save that a newer one may take the place of
  };
  void post(StoreThread::Work work, std::string Recorder::*problem);
  void post(Item item);
  bool carryOut(RunStore& store, const Item& item);  // false: there was no room
  void waitForRoom(Item item);
  void retry();
  void report(std::string Recorder::*problem, const std::string& sentence);
  void appendRows(RunStore& store);
  bool recorded(RunId run) const { return store_ && run > 0; }
  void dropOldest();  // of the rows that wait for a store

  StoreThread* const store_;
  const std::function<void()> onReport_;
  RunId lastUnrecorded_ = 0;                       // the training thread only
  std::chrono::steady_clock::time_point flushed_;  // the training thread only

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable savesChanged_;
  std::map<RunId, std::vector<StepPoint>> points_;  // not yet in the store, in order
  std::vector<RunEvent> events_;
  std::vector<std::shared_ptr<const RunStudy>> studies_;
  // Of runs that have no number yet: kept for the store that may come, the newest that fit.
  struct Unrecorded {
    std::deque<StepPoint> points;
    std::vector<RunEvent> events;
    std::deque<std::shared_ptr<const RunStudy>> studies;
    std::size_t bytes = 0;     // of the points, about
    std::int64_t dropped = 0;  // points
  };
  static constexpr std::size_t kMostUnrecorded = std::size_t{256} << 20;
  std::map<RunId, Unrecorded> unrecorded_;
  std::vector<CheckpointRow> saved_;
  int saving_ = 0;
  std::deque<Item> waiting_;  // for room, in order
  bool retrying_ = false;     // a try is on its way: a large save may take seconds to be refused
  std::string rowsProblem_, checkpointProblem_;
};

}  // namespace moe
