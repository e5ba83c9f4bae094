#include "core/store/run_store_impl.h"
#include "core/telemetry/event_kind.h"

namespace moe {

void RunStore::append(const RunEvent& event) {
  if (handedOver<appendEvent>(event)) return;
  Transaction transaction(impl_->db);
  impl_->requireRun(event.run);
  impl_->db.run(
      "INSERT INTO events(run, step, kind, path, old_value, new_value, layer, expert, utilization, text) VALUES(?, ?, "
      "?, ?, ?, ?, ?, ?, ?, ?)",
      event.run, event.step, nameOf(event.kind), event.path, event.oldValue, event.newValue, event.layer, event.expert,
      event.utilization, event.text);
  transaction.commit();
}

std::vector<RunEvent> RunStore::events(RunId run) const {
  std::vector<RunEvent> events;
  Rows rows = impl_->db.query(
      "SELECT step, kind, path, old_value, new_value, layer, expert, utilization, text FROM events WHERE run = ? ORDER "
      "BY step, id",
      run);
  while (rows.next()) {
    RunEvent& event = events.emplace_back();
    event.run = run;
    event.step = rows.integer(0);
    event.kind = eventKindOf(rows.text(1)).value_or(RunEvent::Kind::note);
    event.path = rows.text(2);
    event.oldValue = rows.text(3);
    event.newValue = rows.text(4);
    event.layer = static_cast<int>(rows.integer(5));
    event.expert = static_cast<int>(rows.integer(6));
    event.utilization = rows.real(7);
    event.text = rows.text(8);
  }
  return events;
}

}  // namespace moe
