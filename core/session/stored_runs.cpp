#include "core/session/stored_runs.h"

#include "core/base/atomic_file.h"

namespace moe {

std::vector<ListedRun> listRuns(const RunStore& store) {
  std::vector<ListedRun> list;
  for (RunSummary& summary : store.runs()) {
    ListedRun line;
    for (const CheckpointRow& row : store.checkpoints(summary.id)) {
      line.checkpointBytes += row.bytes;
      ++line.checkpoints;
    }
    line.summary = std::move(summary);
    list.push_back(std::move(line));
  }
  return list;
}

StoredRun readRun(const RunStore& store, RunId run, std::int64_t atMost) {
  return {store.run(run), store.points(run, 0, INT64_MAX, atMost), store.events(run), store.checkpoints(run),
          store.studies(run)};
}

void deleteRun(RunStore& store, RunId run) {
  store.claim(run);  // before anything of it goes
  for (const CheckpointRow& row : store.checkpoints(run)) {
    removeFolder("store", row.path);
    store.removeCheckpoint(run, row.step);
  }
  removeFolder("store", checkpointFolder(store.file(), run));
  store.deleteRun(run);
}

void exportRun(const RunStore& store, RunId run, ExportFormat format, const std::filesystem::path& file) {
  AtomicFile target("file", file);
  exportRun(store, run, format, [&](std::string_view piece) { target.writer().write(piece); });
  target.commit();
}

}  // namespace moe
