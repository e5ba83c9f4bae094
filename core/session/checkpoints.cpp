#include "core/session/checkpoints.h"

#include <algorithm>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/error.h"

namespace moe {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kNewestKept = 3;

/// `latest` is a link to the step's folder, replaced in one rename.
void pointLatest(const fs::path& folder, std::int64_t step) {
  const fs::path made = folder / ".latest-new";
  std::error_code code;
  fs::remove(made, code);
  fs::create_directory_symlink(stepFolder("", step), made, code);
  if (!code) fs::rename(made, folder / "latest", code);
  if (code)
    throw Error("checkpoint", (folder / "latest").string() + ": expected to link it to the newest checkpoint, found: " +
                                  code.message() + "; choose a folder on a disk that has room and links");
}

void removeCheckpoint(RunStore& store, const CheckpointRow& row) {
  removeFolder("checkpoint", row.path);
  store.removeCheckpoint(row.run, row.step);
}

}  // namespace

fs::path stepFolder(const fs::path& folder, std::int64_t step) { return folder / ("step-" + std::to_string(step)); }

std::vector<CheckpointRow> expendable(std::vector<CheckpointRow> rows, const std::vector<RunEvent>& events) {
  std::sort(rows.begin(), rows.end(), [](const CheckpointRow& a, const CheckpointRow& b) { return a.step > b.step; });
  std::vector<bool> kept(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) kept[i] = i < kNewestKept || rows[i].pinned;
  for (const RunEvent& event : events) {
    if (event.kind != RunEvent::Kind::alertRaised) continue;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (!rows[i].healthy || rows[i].step > event.step) continue;
      kept[i] = true;
      break;
    }
  }
  std::vector<CheckpointRow> result;
  for (std::size_t i = 0; i < rows.size(); ++i)
    if (!kept[i]) result.push_back(rows[i]);
  return result;
}

CheckpointRow keepCheckpoint(RunStore& store, const fs::path& folder, const Checkpoint& checkpoint, bool healthy, bool pinned) {
  CheckpointRow row;
  row.run = checkpoint.run;
  row.step = checkpoint.state.step;
  const fs::path path = fs::absolute(stepFolder(folder, row.step));
  row.path = path.string();
  row.healthy = healthy;
  const std::vector<CheckpointRow> before = store.checkpoints(row.run);
  row.pinned = pinned || std::any_of(before.begin(), before.end(), [&](const CheckpointRow& other) {
                 return other.step == row.step && other.pinned;
               });
  row.bytes = saveCheckpoint(path, checkpoint);
  pointLatest(folder, row.step);
  store.recordCheckpoint(row);
  for (const CheckpointRow& old : expendable(store.checkpoints(row.run), store.events(row.run))) removeCheckpoint(store, old);
  return row;
}

void rewindRun(RunStore& store, RunId run, std::int64_t step) {
  store.truncate(run, step);
  for (const CheckpointRow& row : store.checkpoints(run)) {
    if (row.step > step) removeCheckpoint(store, row);
    if (row.step == step) pointLatest(fs::path(row.path).parent_path(), step);
  }
}

}  // namespace moe
