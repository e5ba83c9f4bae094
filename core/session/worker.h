#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/session/healthy_restart.h"
#include "core/session/inquiries.h"
#include "core/session/mailbox.h"
#include "core/session/peak_memory.h"
#include "core/session/recorder.h"
#include "core/session/run_in_training.h"
#include "core/session/speedometer.h"

namespace moe {

/// What the session's thread does: carries out commands between steps, steps the runs in turn, answers about texts, says
/// how it stands. Everything here belongs to that thread.
class Worker {
 public:
  Worker(const TrainingSession::Options& options, Mailbox& mailbox, OutTray& out, Recorder& recorder);
  /// Until the mailbox closes; then a checkpoint of every unfinished run.
  void run();

 private:
  // worker_commands.cpp: one a command. They throw to refuse: the sentence goes to the window, all stays as it was.
  void carryOut(const command::Start& start);
  void carryOut(const command::StartTwin&);
  void carryOut(const command::CloseTwin&);
  void carryOut(const command::Open& open);
  void carryOut(const command::Play&);
  void carryOut(const command::Pause&);
  void carryOut(const command::StepOnce&);
  void carryOut(const command::Restart&);
  void carryOut(const command::SetKnob& knob);
  void carryOut(const command::UndoKnob&);
  void carryOut(const command::Extend& extend);
  void carryOut(const command::Probe& probe);
  void carryOut(const command::ProbeStored& probe);
  void carryOut(const command::Generate& generate);
  void carryOut(const command::StopGenerating&);
  void carryOut(const command::SetPace& pace);
  void carryOut(const command::SaveCheckpoint& save);
  void carryOut(const command::RestoreHealthy& restore);
  void carryOut(const command::OperateExperts& operation);

  // worker_runs.cpp: runs come and go.
  void checkRun() const;  // throws where there is no run
  Surroundings surroundings() const;
  /// `source`: a RunConfig or a Checkpoint; in place of the present runs, or beside them.
  template <class Source>
  PreparedRun prepare(const Source& source, bool beside = false);
  void checkMore() const;  // throws where every run has done its steps
  Backend& prepareBackend(const RunConfig& config);
  std::unique_ptr<RunInTraining> makeRun(PreparedRun prepared, RunSummary first);
  std::unique_ptr<RunInTraining> makeRun(PreparedRun prepared, RunSummary stored, std::filesystem::path folder);
  void close(std::unique_ptr<RunInTraining>& run);
  void closeRuns();
  /// Runs that began while nothing could be recorded are recorded from here on, where that is possible now.
  void recordUnrecorded();
  void replaceBy(std::function<std::unique_ptr<RunInTraining>()> make, const RunConfig& config, bool playing,
                 std::int64_t heldBytes = 0);
  void forkFrom(Fork fork, bool playing);
  void restartAfterCollapse(bool playing);
  /// The present runs go on on that backend, from this very step; where it cannot be had they stay as they are. Throws
  /// Error("session"), Error("backend"), std::bad_alloc.
  void moveTo(const std::string& backend);
  Checkpoint newestOf(RunId run, CheckpointRow& row);

  // worker.cpp
  std::vector<RunInTraining*> runs() const;  // one, or two with a twin
  bool allFinished() const;
  void carryOutAll(bool wait);
  bool mayStep() const;
  bool wantsStep() const;  // but for room on the disk
  void stepRuns();
  void stepRun(RunInTraining& run, bool ahead);
  void settle();  // no step is on its way any more
  void play(bool playing);
  /// `config`: of the run that it happened to, where that is not there yet.
  void fail(const std::exception& problem, const RunConfig* config = nullptr);
  void takeReports();
  void publish(const RunEvent& event);
  void record(RunInTraining& run, RunEvent::Kind kind, std::string text = {});
  /// Shows slow work while it is done, and ends it where the session ends.
  Progress progress();
  void publishStatus();
  SessionStatus status() const;
  SessionStatus::State state() const;

  const TrainingSession::Options options_;
  Mailbox& mailbox_;
  OutTray& out_;
  Recorder& recorder_;

  std::unique_ptr<Backend> backend_;  // before the runs: they use it
  BackendOptions backendOptions_;
  std::unique_ptr<RunInTraining> run_, twin_;
  Inquiries inquiries_;
  Speedometer speed_;
  PeakMemory peak_;    // since run_ began
  bool alone_ = true;  // no twin has been beside run_
  bool fluid_ = true;  // the pace: one core stays free
  bool playing_ = false, preparing_ = false, failed_ = false;
  bool waiting_ = false;  // for room on the disk
  int singleSteps_ = 0;   // asked for while paused
  std::string message_;
  bool hasHealthy_ = false;  // of run_
  bool collapsed_ = false;   // the last step raised an alert in run_
  RunId gaveUp_ = 0;         // the run of which was said that it is not restarted
  std::string storeProblem_, storeNews_;
  WorkEstimate estimate_;
  std::optional<Work> work_;  // beside steps
  bool statusChanged_ = true;
  std::chrono::steady_clock::time_point statusAt_;
};

}  // namespace moe
