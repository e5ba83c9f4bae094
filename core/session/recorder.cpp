#include "core/session/recorder.h"

#include <utility>

#include "core/session/checkpoints.h"

namespace moe {

namespace {
constexpr auto kBatch = std::chrono::seconds(1);
constexpr int kSavesAtOnce = 2;  // each holds a copy of the whole training state
}  // namespace

Recorder::Recorder(StoreThread* store, std::function<void()> onReport) : store_(store), onReport_(std::move(onReport)) {}

Recorder::~Recorder() { finish(); }

void Recorder::report(std::string Recorder::* problem, const std::string& sentence) {
  bool changed = false;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    changed = std::exchange(this->*problem, sentence) != sentence;
  }
  if (changed && onReport_) onReport_();
}

void Recorder::post(StoreThread::Work work, std::string Recorder::* problem) {
  store_->post(
      [this, work = std::move(work), problem](RunStore& store) {
        work(store);
        report(problem, {});
      },
      [this, problem](const std::string& sentence) { report(problem, sentence); });
}

RunSummary Recorder::create(RunSummary first) {
  if (store_) {
    try {
      return ask([first](RunStore& store) { return store.run(store.createRun(first)); });
    } catch (const std::exception& refused) {
      report(&Recorder::rowsProblem_, refused.what());
    }
  }
  first.id = --lastUnrecorded_;
  return first;
}

void Recorder::add(const StepPoint& point) {
  if (!recorded(point.run)) return;
  const std::lock_guard<std::mutex> guard(mutex_);
  points_[point.run].push_back(point);
}

void Recorder::add(const RunEvent& event) {
  if (!recorded(event.run)) return;
  const std::lock_guard<std::mutex> guard(mutex_);
  events_.push_back(event);
}

void Recorder::add(std::shared_ptr<const RunStudy> study) {
  if (!recorded(study->run)) return;
  const std::lock_guard<std::mutex> guard(mutex_);
  studies_.push_back(std::move(study));
}

void Recorder::setState(RunId run, RunSummary::State state) {
  if (recorded(run)) post([run, state](RunStore& store) { store.setState(run, state); }, &Recorder::rowsProblem_);
}

void Recorder::release(RunId run) {
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
  if (!store_ || (!now && time - flushed_ < kBatch)) return;
  flushed_ = time;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    if (points_.empty() && events_.empty() && studies_.empty()) return;
  }
  post([this](RunStore& store) { appendRows(store); }, &Recorder::rowsProblem_);
}

void Recorder::save(std::filesystem::path folder, Checkpoint checkpoint, bool healthy, bool pinned) {
  if (!recorded(checkpoint.run) || folder.empty()) return;
  flush(true);
  {
    std::unique_lock<std::mutex> lock(mutex_);
    savesChanged_.wait(lock, [this] { return saving_ < kSavesAtOnce; });
    ++saving_;
  }
  const auto done = [this](const std::string& sentence) {
    {
      const std::lock_guard<std::mutex> guard(mutex_);
      --saving_;
    }
    savesChanged_.notify_all();
    report(&Recorder::checkpointProblem_, sentence);
  };
  auto shared = std::make_shared<const Checkpoint>(std::move(checkpoint));
  store_->post(
      [this, folder = std::move(folder), shared, healthy, pinned, done](RunStore& store) {
        const CheckpointRow row = keepCheckpoint(store, folder, *shared, healthy, pinned);
        {
          const std::lock_guard<std::mutex> guard(mutex_);
          saved_.push_back(row);
        }
        done({});
        if (onReport_) onReport_();
      },
      done);
}

void Recorder::finish() {
  flush(true);
  if (store_) store_->finish();
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
