#include <algorithm>
#include <bit>
#include <charconv>
#include <ctime>

#include "core/base/error.h"
#include "core/store/run_store_impl.h"

namespace moe {
namespace {

constexpr const char* kStates[] = {"running", "paused", "finished", "failed",
                                   "interrupted"};  // in RunSummary::State's order

std::string now() {
  const std::time_t time = std::time(nullptr);
  std::tm utc{};
  ::gmtime_r(&time, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

RunSummary::State stateOf(const std::string& text) {
  for (std::size_t i = 0; i < std::size(kStates); ++i)
    if (text == kStates[i]) return static_cast<RunSummary::State>(i);
  return RunSummary::State::failed;
}

// Stores of older versions, which are read as they are, lack the newest columns.
#define SWITCHYARD_RUNS(newest, which)                                                                      \
  "SELECT id, name, note, preset, config, seed, created, parent, parent_step, state, steps, target_steps, " \
  "train_loss, "                                                                                            \
  "validation_loss, total_parameters, active_parameters, " newest                                           \
  ", (SELECT COUNT(*) FROM events WHERE events.run = runs.id AND kind = 'alertRaised') FROM runs " which
#define SWITCHYARD_RUNS_OF(version, which)            \
  ((version) < 3 ? SWITCHYARD_RUNS("'', 0, 0", which) \
                 : SWITCHYARD_RUNS("text_checksum, validated_tokens, held_out_tokens", which))

RunSummary summaryOf(const Rows& rows) {
  RunSummary run;
  run.id = rows.integer(0);
  run.name = rows.text(1);
  run.note = rows.text(2);
  run.preset = rows.text(3);
  run.config = rows.text(4);
  run.seed = std::bit_cast<std::uint64_t>(rows.integer(5));
  run.created = rows.text(6);
  run.parent = rows.integer(7);
  run.parentStep = rows.integer(8);
  run.state = stateOf(rows.text(9));
  run.steps = rows.integer(10);
  run.targetSteps = rows.integer(11);
  run.trainLoss = rows.optionalReal(12);
  run.validationLoss = rows.optionalReal(13);
  run.totalParameters = rows.integer(14);
  run.activeParameters = rows.integer(15);
  run.textChecksum = rows.text(16);
  run.validatedTokens = rows.integer(17);
  run.heldOutTokens = rows.integer(18);
  run.alerts = rows.integer(19);
  return run;
}

/// The largest number that names a folder in this one; 0 where there is none.
RunId highestFolder(const std::filesystem::path& folder) {
  RunId highest = 0;
  std::error_code code;
  for (std::filesystem::directory_iterator entry(folder, code), end; !code && entry != end; entry.increment(code)) {
    const std::string name = entry->path().filename().string();
    RunId number = 0;
    const auto [rest, fault] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (fault == std::errc() && rest == name.data() + name.size()) highest = std::max(highest, number);
  }
  return highest;
}

/// The largest number that a run of this store ever had, deleted ones among them.
RunId highestGiven(Connection& db) {
  Rows rows = db.query(
      "SELECT MAX(COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'runs'), 0), COALESCE((SELECT MAX(id) FROM "
      "runs), 0))");
  return rows.next() ? rows.integer(0) : 0;
}

}  // namespace

std::string_view nameOf(RunSummary::State state) { return kStates[static_cast<int>(state)]; }

RunId RunStore::createRun(const RunSummary& first) {
  const std::optional<RunId> handed = handedOver<&RunStore::createRun>(first);
  const RunId id = handed ? *handed : impl_->insertRun(first);
  impl_->acting->claims[id] = first.state;
  if (handed) {  // whoever took the store since then did not know whose run it was
    claim(id);
    setState(id, first.state);
  }
  return id;
}

RunId RunStore::Impl::insertRun(const RunSummary& first) {
  // No number of a run whose checkpoints are still there: those of a store that was lost would become this run's.
  const RunId free = std::max(highestFolder(checkpointFolder(file, 0).parent_path()), highestGiven(db)) + 1;
  db.run(
      "INSERT INTO runs(id, name, note, preset, config, seed, created, parent, parent_step, state, steps, "
      "target_steps, train_loss, "
      "validation_loss, total_parameters, active_parameters, text_checksum, validated_tokens, held_out_tokens) "
      "VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      free, first.name, first.note, first.preset, first.config, std::bit_cast<std::int64_t>(first.seed), now(),
      first.parent, first.parentStep, nameOf(first.state), first.steps, first.targetSteps, first.trainLoss,
      first.validationLoss, first.totalParameters, first.activeParameters, first.textChecksum, first.validatedTokens,
      first.heldOutTokens);
  return db.lastRowId();
}

void RunStore::setName(RunId run, const std::string& name) {
  if (handedOver<&RunStore::setName>(run, name)) return;
  impl_->db.run("UPDATE runs SET name = ? WHERE id = ?", name, run);
  impl_->requireFound(run);
}

void RunStore::setNote(RunId run, const std::string& note) {
  if (handedOver<&RunStore::setNote>(run, note)) return;
  impl_->db.run("UPDATE runs SET note = ? WHERE id = ?", note, run);
  impl_->requireFound(run);
}

void RunStore::setState(RunId run, RunSummary::State state) {
  // Before the holder is asked: another that takes its place meanwhile is told this state.
  if (const auto claim = impl_->acting->claims.find(run); claim != impl_->acting->claims.end()) claim->second = state;
  if (handedOver<&RunStore::setState>(run, state)) return;
  impl_->requireUnclaimed(run);
  impl_->db.run("UPDATE runs SET state = ? WHERE id = ?", nameOf(state), run);
  impl_->requireFound(run);
}

void RunStore::setTargetSteps(RunId run, std::int64_t steps) {
  if (handedOver<&RunStore::setTargetSteps>(run, steps)) return;
  impl_->db.run("UPDATE runs SET target_steps = ? WHERE id = ?", steps, run);
  impl_->requireFound(run);
}

void RunStore::setText(RunId run, const RunSummary& text) {
  if (handedOver<&RunStore::setText>(run, text)) return;
  impl_->db.run("UPDATE runs SET text_checksum = ?, validated_tokens = ?, held_out_tokens = ? WHERE id = ?",
                text.textChecksum, text.validatedTokens, text.heldOutTokens, run);
  impl_->requireFound(run);
}

void RunStore::deleteRun(RunId run) {
  if (!handedOver<&RunStore::deleteRun>(run)) impl_->deleteRun(run);
  impl_->acting->claims.erase(run);
}

void RunStore::Impl::deleteRun(RunId run) {
  requireUnclaimed(run);
  Transaction transaction(db);
  db.run("DELETE FROM runs WHERE id = ?", run);
  requireFound(run);
  deleteLayers(run);
  truncateStudies(run, -1);
  db.run("DELETE FROM points WHERE run = ?", run);
  db.run("DELETE FROM events WHERE run = ?", run);
  db.run("DELETE FROM checkpoints WHERE run = ?", run);
  transaction.commit();
  db.execute("PRAGMA incremental_vacuum");  // gives the space back to the disk
}

std::vector<RunSummary> RunStore::runs() const {
  std::vector<RunSummary> runs;
  for (Rows rows = impl_->db.query(SWITCHYARD_RUNS_OF(impl_->version, "ORDER BY id")); rows.next();)
    runs.push_back(summaryOf(rows));
  return runs;
}

RunSummary RunStore::run(RunId run) const {
  Rows rows = impl_->db.query(SWITCHYARD_RUNS_OF(impl_->version, "WHERE id = ?"), run);
  if (!rows.next()) impl_->requireRun(run);
  return summaryOf(rows);
}

#undef SWITCHYARD_RUNS_OF
#undef SWITCHYARD_RUNS

}  // namespace moe
