#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "core/formats/exports.h"
#include "core/store/run_store.h"

namespace moe {

// What the pages do with stored runs; all of it on the store's thread.

/// A line of the list of runs, with the disk its checkpoints take.
struct ListedRun {
  RunSummary summary;
  std::int64_t checkpointBytes = 0;
  std::int64_t checkpoints = 0;
};
std::vector<ListedRun> listRuns(const RunStore& store);

/// A run as it is drawn: at most `atMost` points, thinned so that the lowest and highest loss of each stretch stay.
struct StoredRun {
  RunSummary summary;
  std::vector<StepPoint> points;
  std::vector<RunEvent> events;
  std::vector<CheckpointRow> checkpoints;
  std::vector<std::shared_ptr<const RunStudy>> studies;
};
StoredRun readRun(const RunStore& store, RunId run, std::int64_t atMost);

/// Removes the run's checkpoint folders, then its rows; in that order, so that no folder is ever without its run.
/// Throws Error("store") where a folder cannot be removed: the run then stays listed.
void deleteRun(RunStore& store, RunId run);

/// Writes the run's export to `file`, whole or not at all. Throws Error("file").
void exportRun(const RunStore& store, RunId run, ExportFormat format, const std::filesystem::path& file);

}  // namespace moe
