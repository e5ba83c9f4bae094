#include "core/session/checkpoints.h"

#include <algorithm>
#include <cassert>
#include <system_error>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/formats/checkpoint_files.h"

namespace moe {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kNewestKept = 3;

void removeCheckpoint(RunStore& store, const CheckpointRow& row) {
  removeFolder("checkpoint", row.path);
  store.removeCheckpoint(row.run, row.step);
}

}  // namespace

fs::path stepFolder(const fs::path& folder, std::int64_t step) { return folder / (kStepPrefix + std::to_string(step)); }

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

CheckpointRow keepCheckpoint(RunStore& store, const fs::path& folder, const Checkpoint& checkpoint, bool healthy,
                             bool pinned) {
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
  const auto letGo = [&](std::vector<CheckpointRow> rows) {
    bool any = false;
    for (const CheckpointRow& old : expendable(std::move(rows), store.events(row.run))) {
      if (old.step == row.step || store.isStartOfARun(fs::path(old.path).lexically_normal().string())) continue;
      removeCheckpoint(store, old);
      any = true;
    }
    return any;
  };
  try {
    row.bytes = saveCheckpoint(path, checkpoint);
  } catch (const NoRoom&) {
    std::vector<CheckpointRow> then = before;
    std::erase_if(then, [&row](const CheckpointRow& other) { return other.step == row.step; });
    then.push_back(row);
    if (!letGo(std::move(then))) throw;
    row.bytes = saveCheckpoint(path, checkpoint);
  }
  store.recordCheckpoint(row);
  letGo(store.checkpoints(row.run));
  return row;
}

bool isNewest(const RunStore& store, const CheckpointRow& row) {
  return std::ranges::none_of(store.checkpoints(row.run),
                              [&row](const CheckpointRow& other) { return other.step > row.step; });
}

void rewindRun(RunStore& store, const CheckpointRow& to) {
  assert(isNewest(store, to));
  store.claim(to.run);
  store.truncate(to.run, to.step);
  const bool recorded =
      std::ranges::any_of(store.checkpoints(to.run), [&to](const CheckpointRow& row) { return row.step == to.step; });
  if (!recorded) store.recordCheckpoint(to);
  const fs::path path = to.path;
  writeFileAtomically("checkpoint", path.parent_path() / kLatestFile, path.filename().string() + "\n");
}

std::int64_t bytesOf(const fs::path& folder) {
  std::int64_t bytes = 0;
  std::error_code code;
  for (fs::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    std::error_code ignored;
    if (const auto size = entry->file_size(ignored); !ignored) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

}  // namespace moe
