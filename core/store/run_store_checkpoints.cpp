#include "core/store/run_store_impl.h"

namespace moe {

void RunStore::recordCheckpoint(const CheckpointRow& row) {
  if (handedOver<&RunStore::recordCheckpoint>(row)) return;
  Transaction transaction(impl_->db);
  impl_->requireRun(row.run);
  impl_->db.run("INSERT OR REPLACE INTO checkpoints(run, step, path, healthy, pinned, bytes) VALUES(?, ?, ?, ?, ?, ?)",
                row.run, row.step, row.path, row.healthy, row.pinned, row.bytes);
  transaction.commit();
}

void RunStore::removeCheckpoint(RunId run, std::int64_t step) {
  if (handedOver<&RunStore::removeCheckpoint>(run, step)) return;
  impl_->db.run("DELETE FROM checkpoints WHERE run = ? AND step = ?", run, step);
}

void RunStore::setPinned(RunId run, std::int64_t step, bool pinned) {
  if (handedOver<&RunStore::setPinned>(run, step, pinned)) return;
  impl_->db.run("UPDATE checkpoints SET pinned = ? WHERE run = ? AND step = ?", pinned, run, step);
}

std::vector<CheckpointRow> RunStore::checkpoints(RunId run) const {
  std::vector<CheckpointRow> checkpoints;
  Rows rows =
      impl_->db.query("SELECT step, path, healthy, pinned, bytes FROM checkpoints WHERE run = ? ORDER BY step", run);
  while (rows.next())
    checkpoints.push_back(
        {run, rows.integer(0), rows.text(1), rows.integer(2) != 0, rows.integer(3) != 0, rows.integer(4)});
  return checkpoints;
}

bool RunStore::isStartOfARun(const std::string& path) const {
  Rows rows = impl_->db.query(
      "SELECT 1 FROM runs WHERE CASE WHEN json_valid(config) THEN json_extract(config, '$.start_from.checkpoint') END "
      "= ? LIMIT 1",
      path);
  return rows.next();
}

}  // namespace moe
