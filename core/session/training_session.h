#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/data/text_files.h"
#include "core/inspect/text_routing.h"
#include "core/session/store_thread.h"
#include "core/session/work_estimate.h"
#include "core/store/run_store.h"
#include "core/telemetry/points.h"
#include "core/telemetry/snapshot.h"
#include "core/train/expert_surgery.h"
#include "core/train/run_config.h"

namespace moe {

// Commands: values put in the mailbox, carried out by the worker between steps in the order they came.
namespace command {
// clang-format off
struct Start { RunConfig config; RunId parent = 0; std::int64_t parentStep = 0; bool paused = false; };  // a new run takes the place of the present ones
struct StartTwin {};                                  // the equal-active dense model beside the present run, same data and seed, from step 0
struct CloseTwin {};
struct Open { RunId run = 0; bool paused = true; };   // continue a stored run from its newest checkpoint
struct Play {};
struct Pause {};
struct StepOnce {};
struct Restart {};                                    // the present configuration from step 0, as a new run
struct SetKnob { std::string path, value; };          // value: JSON text; live settings only
struct UndoKnob {};                                   // the last knob's old value
struct Extend { std::int64_t steps = 0; };            // new target
struct Probe { std::uint64_t request = 0; std::string text; bool live = true; };  // live: again after every few steps
struct ProbeStored { std::uint64_t request = 0; std::string text; std::string checkpoint; };
struct Generate { std::uint64_t request = 0; std::string prompt; GenerateSettings settings; };
struct StopGenerating {};
struct SetPace { bool fluid = true; };                // fluid: one core stays free for the window; fast: all train. Of this run and those after it
struct SaveCheckpoint { bool pin = false; };
struct RestoreHealthy { double moreDropout = 0; };    // back to the last healthy checkpoint: a fork of the run, playing; added to combine.expert_dropout
struct OperateExperts { ExpertSurgery surgery; };     // experts added or removed: a fork of the run that goes on at once
// clang-format on
}  // namespace command
using Command =
    std::variant<command::Start, command::StartTwin, command::CloseTwin, command::Open, command::Play, command::Pause,
                 command::StepOnce, command::Restart, command::SetKnob, command::UndoKnob, command::Extend,
                 command::Probe, command::ProbeStored, command::Generate, command::StopGenerating, command::SetPace,
                 command::SaveCheckpoint, command::RestoreHealthy, command::OperateExperts>;

/// What the worker is doing, newest wins.
struct SessionStatus {
  /// waiting: to be trained when the disk has room again.
  enum class State { idle, preparing, training, waiting, paused, finished, failed } state = State::idle;
  RunId run = 0, twin = 0;  // 0: none
  std::int64_t step = 0, targetSteps = 0;
  double tokensPerSecond = 0;       // over the last seconds
  double secondsLeft = 0;           // to the target, at that speed; 0 unknown
  std::optional<RunConfig> config;  // of the run, as it is now
  TextSize text;                    // that it was loaded from
  std::optional<ModelSize> size;
  std::optional<ModelSize> routedSize;     // what a token of the newest step passed, given its routing
  std::optional<std::int64_t> peakMemory;  // bytes the run has taken at most, measured; none beside a twin
  std::optional<Work> work;                // beside steps: text being loaded, a validation
  std::string backend;                     // "onednn, f32, 2 threads"
  std::string storeProblem;                // why nothing is being recorded; empty: all is well
  std::string storeNews;  // what happened to the store while it was open, as a sentence: it was written anew
  std::string message;    // why paused or failed; empty otherwise
  bool fluid = true;      // the pace chosen
  bool canUndo = false;
  bool hasHealthyCheckpoint = false;
  std::vector<Alert> alerts;
};

/// Everything that came out since the last take.
struct Outbox {
  std::vector<StepPoint> points;
  std::vector<RunEvent> events;
  std::vector<std::shared_ptr<const RunStudy>> studies;  // in order; each also in the store
  std::optional<SessionStatus> status;                   // when it changed
  std::shared_ptr<const TextRouting> probe;              // latest wins; null: no new one
  std::shared_ptr<const TextRouting> generation;
  std::vector<std::string> problems;    // refused commands, as sentences
  std::vector<RunSummary> startedRuns;  // runs that came to be (also reopened), before their points
};

/// The worker: a thread that owns the Backend, the trainers (one, or two in turn with a twin), and the recorder that
/// writes to the store on a thread of its own. All methods may be called from one other thread and never block on a step.
class TrainingSession {
 public:
  struct Options {
    std::filesystem::path store;  // empty: nothing is recorded
    bool fluid = true;            // the pace to begin with: threads 0 = cores - 1
    int nice = 10;                // priority of the training thread
  };
  explicit TrainingSession(Options options);
  /// Finishes the step, writes a checkpoint of every unfinished run, flushes the store.
  ~TrainingSession();

  void post(Command command);
  /// Moves what is there; a lock is held only to swap.
  Outbox take();
  /// Called from the worker's thread whenever there is something to take; carries no data. Set once, before posting.
  void setNotifier(std::function<void()> notifier);
  /// Work for the store's thread (list, rename, open, export ...), after everything posted to it before; never blocks.
  /// Where there is no store, or `work` throws, `failed` gets a sentence on that thread.
  void withStore(StoreThread::Work work, StoreThread::Failed failed = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace moe
