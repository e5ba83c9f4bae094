#pragma once
#include <chrono>
#include <functional>
#include <future>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "core/session/training_session.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

namespace moe::test {

/// A session with everything that came out of it. Waiting asks again and again until a minute has passed.
class SessionListener {
 public:
  explicit SessionListener(const std::filesystem::path& store)
      : session(TrainingSession::Options{.store = store, .fluid = false, .nice = 0}) {}

  void post(Command command) { session.post(std::move(command)); }
  void take() {
    Outbox box = session.take();
    for (StepPoint& point : box.points) points.push_back(std::move(point));
    for (RunEvent& event : box.events) events.push_back(std::move(event));
    if (box.status) status = std::move(*box.status);
    if (box.probe) probes.push_back(box.probe);
    if (box.generation) generations.push_back(box.generation);
    for (std::string& sentence : box.problems) problems.push_back(std::move(sentence));
    for (RunSummary& run : box.startedRuns) started.push_back(std::move(run));
  }
  bool until(const std::function<bool()>& reached) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    for (;;) {
      take();
      if (reached()) return true;
      if (std::chrono::steady_clock::now() > end) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
  bool untilState(SessionStatus::State state) {
    return until([&] { return status.state == state; });
  }
  bool untilSteps(std::int64_t steps) {
    return until([&] { return status.step >= steps; });
  }
  std::int64_t count(RunEvent::Kind kind, RunId run = 0) const {
    std::int64_t found = 0;
    for (const RunEvent& event : events) found += event.kind == kind && (run == 0 || event.run == run);
    return found;
  }
  /// Work on the store's thread, finished when it returns.
  void withStore(const std::function<void(RunStore&)>& work) {
    std::string refused;
    std::promise<void> done;  // nothing is taken meanwhile: `work` may read what came out
    session.withStore([&](RunStore& store) { work(store), done.set_value(); },
                      [&](const std::string& sentence) { refused = sentence, done.set_value(); });
    done.get_future().wait();
    if (!refused.empty()) problems.push_back(refused);
  }

  TrainingSession session;
  std::vector<StepPoint> points;
  std::vector<RunEvent> events;
  SessionStatus status;
  std::vector<std::shared_ptr<const TextRouting>> probes, generations;
  std::vector<std::string> problems;
  std::vector<RunSummary> started;
};

/// A tiny run on a text in `folder`, checkpoints every five steps.
inline RunConfig tinyRun(const TemporaryFolder& folder, std::int64_t steps) {
  std::string text;
  for (int i = 0; i < 120; ++i) text += i % 3 ? "the yard is full of trains. " : "one two three four five. ";
  writeText(folder / "yard.txt", text);
  RunConfig config = tinyConfig();
  config.label = "tiny";
  config.data.source = (folder / "yard.txt").string();
  config.train.steps = steps;
  config.train.checkpointEvery = 5;
  return config;
}

}  // namespace moe::test
