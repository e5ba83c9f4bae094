#pragma once
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/session/recorder.h"
#include "core/session/run_preparation.h"
#include "core/telemetry/collapse_detector.h"
#include "core/train/trainer.h"

namespace moe {

/// A run, what it made of a step, and all that is due around one: validation, alerts, knobs and their undo, checkpoints,
/// recording. The window's worker and the headless program both train through this. Uses the backend's thread.
class RunInTraining {
 public:
  /// `folder` holds the run's checkpoints; empty: none are written.
  RunInTraining(RunSummary summary, std::filesystem::path folder, PreparedRun run, Backend& backend,
                Recorder& recorder);

  /// Records the beginning: the event and the first checkpoint.
  RunEvent begin(const RunEvent& event);
  /// Goes on from a checkpoint, with the knobs turned at its very step; `past` are the run's events up to there.
  void restore(const Checkpoint& checkpoint, const std::vector<RunEvent>& past);

  /// From here on it is that run: one that could not be recorded when it began was given its number and folder.
  void become(RunSummary recorded, std::filesystem::path folder);

  /// Told of validations; where it throws Ended, the step goes without one.
  void setProgress(Progress progress) { progress_ = std::move(progress); }

  struct Step {
    StepPoint point;  // as recorded; not where the loss was not finite
    std::vector<RunEvent> events;
    std::vector<std::shared_ptr<const RunStudy>> studies;  // before the first step, and whenever the run is validated
    bool finite = true;
    bool validationEnded = false;  // one was due, and nobody waited for it
  };
  /// `ahead`: the caller steps on at once, so that the step behind this one may be asked for before this one's numbers
  /// are there; it is then inFlight(). Only where the backend works on by itself, and nothing that needs the model as it
  /// is after this very step is due.
  Step step(bool ahead = false);
  /// Whether a step was asked for whose numbers are still out: `step` until there is none before anything else that looks
  /// at the run or changes it.
  bool inFlight() const { return trainer_.inFlight() > 0; }
  /// Forgets them, after a failure.
  void abandonSteps() { trainer_.abandon(); }
  /// The sentence of the event that says why it failed, the last step that was done and the last that is saved.
  std::string failure(const std::string& reason);

  /// Changes a live setting from the next step on. Nothing where the value is what it was. Throws Error("config").
  std::optional<RunEvent> setKnob(const std::string& path, const std::string& value);
  /// Sets the last knob's old value back. Nothing where none was turned.
  std::optional<RunEvent> undoKnob();
  bool canUndo() const { return !turned_.empty(); }

  /// What is there now.
  Checkpoint checkpoint() const;
  void saveCheckpoint(bool pinned);
  /// What is there now is in no checkpoint, whatever it was restored from.
  void setUnsaved() { changedSince_ = true; }
  /// A checkpoint of what is there now, unless it is on its way already.
  void saveIfChanged();

  RunId id() const { return summary_.id; }
  const RunSummary& summary() const { return summary_; }
  const RunConfig& config() const { return trainer_.config(); }
  const PreparedRun& prepared() const { return prepared_; }
  const std::filesystem::path& folder() const { return folder_; }
  const CollapseDetector& watch() const { return detector_; }
  /// Automatic restarts that led to this run.
  int restarts() const { return restarts_; }
  std::int64_t stepsDone() const { return trainer_.stepsDone(); }
  bool finished() const { return trainer_.finished(); }
  Trainer& trainer() { return trainer_; }
  std::int64_t tokensPerStep() const;
  /// An event of this run at its present step, not yet recorded.
  RunEvent eventOf(RunEvent::Kind kind, std::string text = {}) const;
  void record(const RunEvent& event) { recorder_.add(event); }

 private:
  struct Knob {
    std::string path, oldValue;
  };
  std::shared_ptr<const RunStudy> study();
  /// Whether a look at the model is due after so many steps.
  bool pausesAfter(std::int64_t step) const;
  RunEvent apply(RunEvent::Kind kind, const std::string& path, const std::string& value);

  RunSummary summary_;
  std::filesystem::path folder_;
  PreparedRun prepared_;
  const std::string textChecksum_;  // of the text it trains on now
  Recorder& recorder_;
  Trainer trainer_;
  CollapseDetector detector_;
  std::vector<Knob> turned_;
  Progress progress_;
  int restarts_ = 0;
  std::int64_t savedStep_ = -1;  // of the newest checkpoint handed over
  bool changedSince_ = false;    // a knob was turned since
  bool finite_ = true;           // the last step's loss
};

}  // namespace moe
