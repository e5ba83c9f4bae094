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

/// Writes `folder`/step-N, records it, and removes what retention lets go and no other run was grown out of; before it is
/// written where the disk has no room else. Throws NoRoom where it has none then either.
CheckpointRow keepCheckpoint(RunStore& store, const std::filesystem::path& folder, const Checkpoint& checkpoint,
                             bool healthy, bool pinned);

/// Whether its run has none of a later step.
bool isNewest(const RunStore& store, const CheckpointRow& row);

/// Takes a run back to its newest checkpoint `to`: points and events past it go, `latest` names it, and it is recorded
/// where a crash came before its row. Throws where another process trains it. From an older one a child of the run goes on instead, and the run stays whole.
void rewindRun(RunStore& store, const CheckpointRow& to);

/// Of the files in a folder.
std::int64_t bytesOf(const std::filesystem::path& folder);

}  // namespace moe
