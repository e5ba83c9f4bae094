#include "core/session/recorder.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/base/error.h"
#include "core/session/checkpoints.h"

namespace moe {

namespace {
constexpr auto kBatch = std::chrono::seconds(1);

/// That a point takes in memory, about.
std::size_t bytesOf(const StepPoint& point) {
  std::size_t bytes = sizeof(StepPoint);
  for (const LayerPoint& layer : point.layers) bytes += sizeof(LayerPoint) + layer.load.capacity() * sizeof(float);
  return bytes;
}
}  // namespace

Recorder::Recorder(StoreThread* store, std::function<void()> onReport)
    : store_(store), onReport_(std::move(onReport)) {}

Recorder::~Recorder() { finish(); }

void Recorder::report(std::string Recorder::*problem, const std::string& sentence) {
  bool changed = false;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    changed = std::exchange(this->*problem, sentence) != sentence;
  }
  if (changed && onReport_) onReport_();
}

void Recorder::post(StoreThread::Work work, std::string Recorder::*problem) { post({std::move(work), {}, problem}); }

void Recorder::post(Item item) {
  const auto shared = std::make_shared<Item>(std::move(item));
  store_->post(
      [this, shared](RunStore& store) {
        bool behind = false;
        {
          const std::lock_guard<std::mutex> guard(mutex_);
          behind = !waiting_.empty();
        }
        if (behind || !carryOut(store, *shared)) waitForRoom(std::move(*shared));
      },
      [this, shared](const std::string& sentence) {
        if (shared->done) shared->done();
        report(shared->problem, sentence);
      });
}

bool Recorder::carryOut(RunStore& store, const Item& item) {
  std::string sentence;
  try {
    item.work(store);
  } catch (const NoRoom& full) {
    report(item.problem, full.what());
    return false;
  } catch (const std::exception& refused) { sentence = refused.what(); }
  if (item.done) item.done();
  report(item.problem, sentence);
  return true;
}

void Recorder::waitForRoom(Item item) {
  std::function<void()> older;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    const auto same = std::ranges::find_if(
        waiting_, [&](const Item& other) { return !other.folder.empty() && other.folder == item.folder; });
    if (same != waiting_.end()) {
      older = std::move(same->done);
      waiting_.erase(same);
    }
    waiting_.push_back(std::move(item));
  }
  savesChanged_.notify_all();
  if (older) older();
  if (onReport_) onReport_();
}

bool Recorder::waitsForRoom() const {
  const std::lock_guard<std::mutex> guard(mutex_);
  return !waiting_.empty();
}

void Recorder::retry() {
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (waiting_.empty() || std::exchange(retrying_, true)) return;
  }
  store_->post([this](RunStore& store) {
    for (bool room = true; room;) {
      Item first;
      {
        const std::lock_guard<std::mutex> guard(mutex_);
        if (waiting_.empty()) break;
        first = waiting_.front();
      }
      room = carryOut(store, first);
      const std::lock_guard<std::mutex> guard(mutex_);
      if (room) waiting_.pop_front();
    }
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      retrying_ = false;
    }
    if (onReport_) onReport_();
  });
}

RunSummary Recorder::create(RunSummary first) {
  if (store_) {
    try {
      return ask([first](RunStore& store) { return store.run(store.createRun(first)); });
    } catch (const std::exception& refused) { report(&Recorder::rowsProblem_, refused.what()); }
  }
  first.id = --lastUnrecorded_;
  return first;
}

RunSummary Recorder::adopt(RunId unrecorded, RunSummary first) {
  const RunId id = ask([first](RunStore& store) { return store.createRun(first); });
  report(&Recorder::rowsProblem_, {});
  std::int64_t dropped = 0;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    Unrecorded& kept = unrecorded_[unrecorded];
    for (StepPoint& point : kept.points) {
      point.run = id;
      points_[id].push_back(std::move(point));
    }
    for (RunEvent& event : kept.events) {
      event.run = id;
      events_.push_back(std::move(event));
    }
    for (const auto& study : kept.studies) {
      auto own = std::make_shared<RunStudy>(*study);
      own->run = id;
      studies_.push_back(std::move(own));
    }
    dropped = kept.dropped;
    unrecorded_.erase(unrecorded);
  }
  if (dropped > 0) {
    RunEvent event;
    event.run = id;
    event.kind = RunEvent::Kind::note;
    event.text = "The first " + std::to_string(dropped) +
                 " steps are not in the store: it could be opened only later, and memory held no more.";
    add(event);
  }
  return ask([id](RunStore& store) { return store.run(id); });
}

void Recorder::dropOldest() {
  for (auto& [run, kept] : unrecorded_) {
    while (kept.bytes > kMostUnrecorded && kept.points.size() > 1) {
      kept.bytes -= std::min(kept.bytes, bytesOf(kept.points.front()));
      kept.points.pop_front();
      ++kept.dropped;
    }
    while (!kept.studies.empty() && !kept.points.empty() && kept.dropped > 0 &&
           kept.studies.front()->step < kept.points.front().step)
      kept.studies.pop_front();
  }
}

void Recorder::add(const StepPoint& point) {
  if (!store_) return;
  const std::lock_guard<std::mutex> guard(mutex_);
  if (recorded(point.run)) return points_[point.run].push_back(point);
  Unrecorded& kept = unrecorded_[point.run];
  kept.points.push_back(point);
  kept.bytes += bytesOf(point);
  dropOldest();
}

void Recorder::add(const RunEvent& event) {
  if (!store_) return;
  const std::lock_guard<std::mutex> guard(mutex_);
  (recorded(event.run) ? events_ : unrecorded_[event.run].events).push_back(event);
}

void Recorder::add(std::shared_ptr<const RunStudy> study) {
  if (!store_) return;
  const std::lock_guard<std::mutex> guard(mutex_);
  if (recorded(study->run)) return studies_.push_back(std::move(study));
  unrecorded_[study->run].studies.push_back(std::move(study));
}

void Recorder::setState(RunId run, RunSummary::State state) {
  if (recorded(run)) post([run, state](RunStore& store) { store.setState(run, state); }, &Recorder::rowsProblem_);
}

void Recorder::release(RunId run) {
  if (!recorded(run)) {
    const std::lock_guard<std::mutex> guard(mutex_);
    unrecorded_.erase(run);
  }
  if (recorded(run)) post([run](RunStore& store) { store.release(run); }, &Recorder::rowsProblem_);
}

void Recorder::setTargetSteps(RunId run, std::int64_t steps) {
  if (recorded(run)) post([run, steps](RunStore& store) { store.setTargetSteps(run, steps); }, &Recorder::rowsProblem_);
}

/// On the store's thread. What fails stays, so that nothing is lost when the disk has room again.
void Recorder::appendRows(RunStore& store) {
  std::map<RunId, std::vector<StepPoint>> points;
  std::vector<RunEvent> events;
  std::vector<std::shared_ptr<const RunStudy>> studies;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    points.swap(points_);
    events.swap(events_);
    studies.swap(studies_);
  }
  std::size_t written = 0, studied = 0;
  try {
    while (!points.empty()) {
      store.append(points.begin()->first, points.begin()->second);
      points.erase(points.begin());
    }
    for (; written < events.size(); ++written) store.append(events[written]);
    for (; studied < studies.size(); ++studied) store.append(*studies[studied]);
  } catch (...) {
    const std::lock_guard<std::mutex> guard(mutex_);
    for (auto& [run, list] : points) points_[run].insert(points_[run].begin(), list.begin(), list.end());
    events_.insert(events_.begin(), events.begin() + static_cast<std::ptrdiff_t>(written), events.end());
    studies_.insert(studies_.begin(), studies.begin() + static_cast<std::ptrdiff_t>(studied), studies.end());
    throw;
  }
}

void Recorder::flush(bool now) {
  const auto time = std::chrono::steady_clock::now();
  if (!store_) return;
  const bool waits = waitsForRoom();
  if (waits ? time - flushed_ < kBetweenTries : !now && time - flushed_ < kBatch) return;
  flushed_ = time;
  if (waits) return retry();
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (points_.empty() && events_.empty() && studies_.empty()) return;
  }
  post([this](RunStore& store) { appendRows(store); }, &Recorder::rowsProblem_);
}

void Recorder::save(RunId run, std::filesystem::path folder, const std::function<Checkpoint()>& take, bool healthy,
                    bool pinned) {
  if (!recorded(run) || folder.empty()) return;
  flush(true);
  {
    std::unique_lock<std::mutex> lock(mutex_);
    savesChanged_.wait(lock, [this] { return saving_ == 0 || !waiting_.empty(); });
  }
  auto held = std::make_shared<std::optional<Checkpoint>>(take());
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    ++saving_;
  }
  const auto done = [this, held] {
    held->reset();  // before the next one is taken
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      --saving_;
    }
    savesChanged_.notify_all();
  };
  const std::filesystem::path replaceable = pinned ? std::filesystem::path() : folder;
  post({[this, folder = std::move(folder), held, healthy, pinned](RunStore& store) {
          const CheckpointRow row = keepCheckpoint(store, folder, **held, healthy, pinned);
          {
            const std::lock_guard<std::mutex> guard(mutex_);
            saved_.push_back(row);
          }
          if (onReport_) onReport_();
        },
        done, &Recorder::checkpointProblem_, replaceable});
}

void Recorder::finish() {
  if (!store_) return;
  retry();
  store_->finish();
  flush(true);
  store_->finish();
}

std::vector<CheckpointRow> Recorder::takeSaved() {
  const std::lock_guard<std::mutex> guard(mutex_);
  return std::exchange(saved_, {});
}

std::string Recorder::problem() const {
  if (!store_) return {};
  if (std::string shut = store_->problem(); !shut.empty()) return shut;
  const std::lock_guard<std::mutex> guard(mutex_);
  return rowsProblem_.empty() ? checkpointProblem_ : rowsProblem_;
}

}  // namespace moe
