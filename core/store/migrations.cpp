#include "core/store/migrations.h"

#include <iterator>

#include "core/base/error.h"

namespace moe {
namespace {

// "SwYd": says whose file it is (PRAGMA application_id).
constexpr std::int64_t kApplication = 0x53775964;

// Step N brings a store of version N to N + 1. Append only.
constexpr const char* kSteps[] = {R"sql(
CREATE TABLE runs(
  id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never used again: folders are named by it
  name TEXT NOT NULL, note TEXT NOT NULL, preset TEXT NOT NULL, config TEXT NOT NULL,
  seed INTEGER NOT NULL,                 -- the bits of an unsigned number
  created TEXT NOT NULL, parent INTEGER NOT NULL, parent_step INTEGER NOT NULL, state TEXT NOT NULL,
  steps INTEGER NOT NULL, target_steps INTEGER NOT NULL, train_loss REAL, validation_loss REAL,
  total_parameters INTEGER NOT NULL, active_parameters INTEGER NOT NULL);
CREATE TABLE points(
  run INTEGER NOT NULL, step INTEGER NOT NULL,
  loss REAL, validation_loss REAL, aux_loss REAL, z_loss REAL, gradient_norm REAL, learning_rate REAL, tokens_per_second REAL,
  PRIMARY KEY(run, step)) WITHOUT ROWID;
CREATE TABLE layer_blocks(               -- consecutive steps of one expert layer; see layer_blocks.h
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, layer INTEGER NOT NULL,
  first_step INTEGER NOT NULL, last_step INTEGER NOT NULL, count INTEGER NOT NULL, closed INTEGER NOT NULL,
  experts INTEGER NOT NULL, terms INTEGER NOT NULL, metrics BLOB NOT NULL, loads BLOB NOT NULL);
CREATE UNIQUE INDEX layer_blocks_by_step ON layer_blocks(run, layer, first_step);
CREATE INDEX layer_blocks_open ON layer_blocks(run, layer, first_step) WHERE closed = 0;
CREATE TABLE load_summaries(             -- of closed blocks: lowest, highest and last load
  block INTEGER PRIMARY KEY, whole BLOB NOT NULL, parts BLOB NOT NULL);
CREATE TABLE events(
  id INTEGER PRIMARY KEY, run INTEGER NOT NULL, step INTEGER NOT NULL, kind TEXT NOT NULL,
  path TEXT NOT NULL, old_value TEXT NOT NULL, new_value TEXT NOT NULL,
  layer INTEGER NOT NULL, expert INTEGER NOT NULL, utilization REAL, text TEXT NOT NULL);
CREATE INDEX events_by_run ON events(run, step);
CREATE TABLE checkpoints(
  run INTEGER NOT NULL, step INTEGER NOT NULL, path TEXT NOT NULL,
  healthy INTEGER NOT NULL, pinned INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY(run, step)) WITHOUT ROWID;
CREATE TABLE settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
)sql",
                                  R"sql(
ALTER TABLE points ADD COLUMN balance BLOB;  -- f32 a balance term, as it is trained on
CREATE TABLE studies(                    -- a run at a validation, over text that stays the same
  run INTEGER NOT NULL, step INTEGER NOT NULL, tokens INTEGER NOT NULL,
  domains TEXT NOT NULL, domain_tokens BLOB NOT NULL,  -- names, each ended by a line feed (from version 3 on by a zero byte); i64 each
  PRIMARY KEY(run, step)) WITHOUT ROWID;
CREATE TABLE layer_studies(
  run INTEGER NOT NULL, step INTEGER NOT NULL, layer INTEGER NOT NULL, experts INTEGER NOT NULL, slots INTEGER NOT NULL,
  selections BLOB NOT NULL,              -- (T, slots) i16
  coactivation BLOB NOT NULL,            -- (E, E) f32
  domain_shares BLOB NOT NULL,           -- (domains, E) f32
  input_specialisation REAL, next_specialisation REAL, predicted_specialisation REAL, max_vio_global REAL,
  PRIMARY KEY(run, step, layer)) WITHOUT ROWID;
)sql",
                                  R"sql(
ALTER TABLE runs ADD COLUMN text_checksum TEXT NOT NULL DEFAULT '';  -- of the tokens; '' where an older version wrote the run
ALTER TABLE runs ADD COLUMN validated_tokens INTEGER NOT NULL DEFAULT 0;
ALTER TABLE runs ADD COLUMN held_out_tokens INTEGER NOT NULL DEFAULT 0;
UPDATE studies SET domains = CAST(replace(domains, char(10), char(0)) AS BLOB);  -- a file name may hold a line feed, but no zero
)sql"};
constexpr auto kVersion = static_cast<std::int64_t>(std::size(kSteps));

std::int64_t numberOf(Connection& connection, const char* sql) {
  Rows rows = connection.query(sql);
  return rows.next() ? rows.integer(0) : 0;
}

}  // namespace

std::int64_t versionOf(Connection& connection) { return numberOf(connection, "PRAGMA user_version"); }

void checkVersion(Connection& connection) {
  const std::string name = connection.file().string();
  const std::int64_t version = versionOf(connection);
  if (numberOf(connection, "SELECT COUNT(*) FROM sqlite_schema") > 0 &&
      numberOf(connection, "PRAGMA application_id") != kApplication)
    throw Error("store", name + ": expected a run store, found the database of another program; choose another file");
  if (version > kVersion)
    throw Error("store", name + ": expected a store of version " + std::to_string(kVersion) +
                             " or older, found version " + std::to_string(version) +
                             "; open it with the newer program that wrote it, or choose another store");
}

void migrate(Connection& connection) {
  checkVersion(connection);
  if (versionOf(connection) == kVersion) return;
  Transaction transaction(connection);
  for (std::int64_t version = versionOf(connection); version < kVersion; ++version) connection.execute(kSteps[version]);
  connection.execute(("PRAGMA application_id = " + std::to_string(kApplication)).c_str());
  connection.execute(("PRAGMA user_version = " + std::to_string(kVersion)).c_str());
  transaction.commit();
}

}  // namespace moe
