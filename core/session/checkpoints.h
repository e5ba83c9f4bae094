#pragma once
#include <filesystem>
#include <vector>

#include "core/formats/checkpoint.h"
#include "core/store/run_store.h"

namespace moe {

/// "step-200" in a run's folder.
std::filesystem::path stepFolder(const std::filesystem::path& folder, std::int64_t step);

/// Those of a run's checkpoints that retention lets go: all but the newest three, the pinned, and for each alert raised
/// the newest healthy one before it, which the alert's remedy offers.
std::vector<CheckpointRow> expendable(std::vector<CheckpointRow> rows, const std::vector<RunEvent>& events);

/// Writes `folder`/step-N, lets `latest` name it, records it, and removes what retention lets go.
CheckpointRow keepCheckpoint(RunStore& store, const std::filesystem::path& folder, const Checkpoint& checkpoint, bool healthy,
                             bool pinned);

/// Takes a run back to `step`: points, events and checkpoints past it go, and `latest` of its folder names `step`.
void rewindRun(RunStore& store, RunId run, std::int64_t step);

}  // namespace moe
