#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/telemetry/points.h"
#include "core/telemetry/study.h"

namespace moe {

/// What the Runs page lists.
struct RunSummary {
  RunId id = 0;
  std::string name, note;
  std::string preset;
  std::string config;  // the first configuration, as JSON text
  std::uint64_t seed = 0;
  std::string created;  // ISO 8601, UTC
  RunId parent = 0;     // 0: none
  std::int64_t parentStep = 0;
  /// interrupted: whoever trained it ended without a word, after `steps`.
  enum class State { running, paused, finished, failed, interrupted } state = State::running;
  std::int64_t steps = 0, targetSteps = 0;
  std::optional<double> trainLoss, validationLoss;  // the newest
  // Tokens a validation is over, and all that are held out; both 0 where an older version wrote the run.
  std::int64_t validatedTokens = 0, heldOutTokens = 0;
  std::string textChecksum;  // Corpus::checksum() as text; empty where an older version wrote the run
  std::int64_t totalParameters = 0, activeParameters = 0;
  std::int64_t alerts = 0;  // events of kind alertRaised
};

/// The word of a state in files and on the command line ("running").
std::string_view nameOf(RunSummary::State state);

struct CheckpointRow {
  RunId run = 0;
  std::int64_t step = 0;
  std::string path;
  bool healthy = false, pinned = false;  // healthy: finite and no alert standing
  std::int64_t bytes = 0;
};

/// Loads of one expert layer over a range of steps, thinned to at most `columns` columns: each column keeps the
/// smallest and largest load of its steps, so no one-step spike is lost.
struct LoadColumns {
  int layer = 0;
  int experts = 0;
  std::vector<std::int64_t> firstStep;  // (C) first step of each column
  std::vector<float> low, high, last;   // (C, experts) share of assignments
};

struct StoreClient;

/// Runs in one SQLite file (WAL). One process writes a store, held by a lock file that names it, and records for others that
/// share it (StoreServer). Not thread-safe: belongs to the thread that opened it. Every failure throws Error("store").
class RunStore {
 public:
  /// write: this process holds the store, or StoreHeld is thrown. shared: where another holds it, what is written goes to that
  /// one and is on the disk when the call returns; when it ends, this process or the next one that shares takes its place.
  enum class Access { write, shared, readOnly };
  /// Creates the file and its folder if absent (write, shared). Refuses a store of a newer version, a damaged one, and, for
  /// writing, one that another process holds without sharing it. Whoever first takes a store finds no run "running": those
  /// that another left so are interrupted.
  static std::unique_ptr<RunStore> open(const std::filesystem::path& file, Access access);
  ~RunStore();

  const std::filesystem::path& file() const;
  Access access() const;
  /// Whether this process is the one that writes.
  bool holds() const;

  /// Whether its file was deleted, moved or replaced since it was opened.
  bool isLost() const;
  /// Of a lost one: everything that this process still reads of it is written to a new file, and recording goes on there, with
  /// the runs in training as they are. The name is the old one where it is free, else one beside it ("runs-2.db"). Throws
  /// Error("store") where none can be written there; it is lost as before.
  void writeAnew();

  /// No other process trains the run until release(), or the end of this one. Throws where another does.
  void claim(RunId run);
  void release(RunId run);

  RunId createRun(const RunSummary& first);  // id and created are given by the store; claimed
  void setName(RunId run, const std::string& name);
  void setNote(RunId run, const std::string& note);
  void setState(RunId run, RunSummary::State state);
  void setTargetSteps(RunId run, std::int64_t steps);
  /// From here on the run trains on this text: textChecksum and the tokens held out, of `text`.
  void setText(RunId run, const RunSummary& text);
  /// Rows only; the caller removes the checkpoints' folders first.
  void deleteRun(RunId run);

  /// Points in ascending order of step, in one transaction. Loads are kept a blob a layer and block of steps.
  void append(RunId run, std::span<const StepPoint> points);
  void append(const RunEvent& event);
  /// A second study of a step takes the place of the first.
  void append(const RunStudy& study);
  /// Drops points, events and studies after `step` (a resume from an older checkpoint).
  void truncate(RunId run, std::int64_t step);

  std::vector<RunSummary> runs() const;
  RunSummary run(RunId run) const;
  /// Points of steps (after, until], in order, thinned to at most `atMost` by keeping the lowest and highest loss and the
  /// newest validation of each stretch (0: all). Loads are filled only where withLoads.
  std::vector<StepPoint> points(RunId run, std::int64_t after = 0, std::int64_t until = INT64_MAX,
                                std::int64_t atMost = 0, bool withLoads = true) const;
  std::vector<RunEvent> events(RunId run) const;
  /// In order of step.
  std::vector<std::shared_ptr<const RunStudy>> studies(RunId run) const;
  std::vector<std::int64_t> studySteps(RunId run) const;
  /// Null where there is none of that step.
  std::shared_ptr<const RunStudy> study(RunId run, std::int64_t step) const;
  std::vector<LoadColumns> loads(RunId run, std::int64_t after, std::int64_t until, int columns) const;

  void recordCheckpoint(const CheckpointRow& row);
  void removeCheckpoint(RunId run, std::int64_t step);
  void setPinned(RunId run, std::int64_t step, bool pinned);
  std::vector<CheckpointRow> checkpoints(RunId run) const;
  /// Whether a run here was grown out of the checkpoint in that folder, and would be begun anew from it.
  bool isStartOfARun(const std::string& path) const;

  /// Small settings of the program (probe text, last run ...): "" where absent.
  std::string setting(const std::string& key) const;
  void setSetting(const std::string& key, const std::string& value);

  /// For StoreServer, of the process that holds the store: does what a message of another asks, whole or not at all, and
  /// returns the answer. Its first one greets.
  std::string answer(StoreClient& client, std::string_view message);
  /// It is gone: runs that it left "running" are interrupted.
  void leave(const StoreClient& client);

 private:
  struct Impl;
  explicit RunStore(std::unique_ptr<Impl> impl);
  /// What writes begins with this: the result where the process that holds the store did it, nothing where it is this one's to do.
  template <auto Operation, class... Values>
  auto handedOver(const Values&... values);
  std::optional<std::string> askHolder(const std::string& message, std::uint64_t sequence);
  std::unique_ptr<Impl> impl_;
};

/// $XDG_DATA_HOME/switchyard/runs.db, or ~/.local/share/switchyard/runs.db.
std::filesystem::path defaultStorePath();
/// The folder of a run's checkpoints: "runs/<id>" beside the store.
std::filesystem::path checkpointFolder(const std::filesystem::path& store, RunId run);

}  // namespace moe
