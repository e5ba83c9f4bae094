#include "core/store/run_store.h"

#include <unistd.h>

#include <cstdlib>

#include "core/base/error.h"
#include "core/base/file_reader.h"
#include "core/store/migrations.h"
#include "core/store/run_store_impl.h"

namespace moe {
namespace fs = std::filesystem;
namespace {

void makeFolderOf(const fs::path& file) {
  if (!file.has_parent_path()) return;
  std::error_code code;
  fs::create_directories(file.parent_path(), code);
  if (code)
    throw Error("store", file.string() + ": expected a folder that can be made, found: " + code.message() +
                             "; choose another store or change the permissions");
}

/// A reader shares the writer's side files, or makes them; where it may not, and no writer left any, the file alone is whole.
Connection::Mode modeOf(const fs::path& file, RunStore::Access access) {
  if (access == RunStore::Access::write) return Connection::Mode::write;
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const bool alone = ::access(folder.c_str(), W_OK) != 0 && !fs::exists(file.string() + "-wal");
  return alone ? Connection::Mode::unchanging : Connection::Mode::readOnly;
}

}  // namespace

RunStore::Impl::Impl(fs::path path, Access how, Connection::Mode mode) : file(std::move(path)), access(how), db([&] {
  if (how == Access::write) lock.emplace(file);
  return Connection(file, mode);
}()) {}

RunStore::RunStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RunStore::~RunStore() = default;

std::unique_ptr<RunStore> RunStore::open(const fs::path& file, Access access) {
  if (access == Access::write) makeFolderOf(file);
  std::error_code code;
  if (access == Access::readOnly && !fs::exists(file, code))
    throw Error("store", file.string() + ": expected a run store, found nothing there; check the path, or train to make one");
  if (const std::string other = otherThanRegular(file); !other.empty())
    throw Error("store", file.string() + ": expected a run store, found " + other + "; choose a regular file");
  auto impl = std::make_unique<Impl>(file, access, modeOf(file, access));
  if (access == Access::write) {
    checkVersion(impl->db);  // before anything of it is changed
    // WAL: readers never wait, and a kill at any moment leaves the last whole transaction. NORMAL: only a power cut may
    // take the newest ones.
    impl->db.execute("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
    migrate(impl->db);
    impl->db.run("UPDATE runs SET state = ? WHERE state = ?", nameOf(RunSummary::State::interrupted), nameOf(RunSummary::State::running));
  } else {
    checkVersion(impl->db);
    if (!impl->db.query("SELECT 1 FROM sqlite_schema WHERE name = 'runs'").next())
      throw Error("store", file.string() + ": expected a run store, found an empty file; train to fill it");
  }
  impl->version = versionOf(impl->db);
  return std::unique_ptr<RunStore>(new RunStore(std::move(impl)));
}

const fs::path& RunStore::file() const { return impl_->file; }
RunStore::Access RunStore::access() const { return impl_->access; }

void RunStore::Impl::requireWrite() const {
  if (access != Access::write)
    throw Error("store", file.string() + ": expected a store opened for writing, found it opened read-only; close the program that holds it");
}

void RunStore::Impl::requireFound(RunId run) const {
  if (db.changes() == 0)
    throw Error("store", file.string() + ": expected run " + std::to_string(run) + ", found none of that number; list the runs");
}

void RunStore::Impl::requireRun(RunId run) const {
  if (!db.query("SELECT 1 FROM runs WHERE id = ?", run).next())
    throw Error("store", file.string() + ": expected run " + std::to_string(run) + ", found none of that number; list the runs");
}

void RunStore::Impl::damaged() const {
  throw Error("store", file.string() + ": expected blocks of per-layer values as they were written, found damaged ones; put a copy of the store back");
}

std::string RunStore::setting(const std::string& key) const {
  Rows rows = impl_->db.query("SELECT value FROM settings WHERE key = ?", key);
  return rows.next() ? rows.text(0) : std::string();
}

void RunStore::setSetting(const std::string& key, const std::string& value) {
  impl_->requireWrite();
  impl_->db.run("INSERT OR REPLACE INTO settings(key, value) VALUES(?, ?)", key, value);
}

fs::path defaultStorePath() {
  const char* data = std::getenv("XDG_DATA_HOME");
  const char* home = std::getenv("HOME");
  // The XDG rules: a relative path does not count.
  const fs::path base = data != nullptr && data[0] == '/' ? fs::path(data) : fs::path(home != nullptr ? home : ".") / ".local/share";
  return base / "switchyard" / "runs.db";
}

fs::path checkpointFolder(const fs::path& store, RunId run) { return store.parent_path() / "runs" / std::to_string(run); }

}  // namespace moe
