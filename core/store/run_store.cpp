#include "core/store/run_store.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

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
Connection::Mode readingMode(const fs::path& file) {
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  const bool alone = ::access(folder.c_str(), W_OK) != 0 && !fs::exists(file.string() + "-wal");
  return alone ? Connection::Mode::unchanging : Connection::Mode::readOnly;
}

std::optional<std::uint64_t> inodeOf(const fs::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return std::nullopt;
  return found.st_ino;
}

/// The one that a file of this name lies on, or would.
std::optional<std::uint64_t> diskOf(fs::path file) {
  struct stat found {};
  for (file = fs::absolute(file); ::stat(file.c_str(), &found) != 0; file = file.parent_path())
    if (file == file.parent_path()) return std::nullopt;
  return found.st_dev;
}

/// The name itself where nothing has it, else "runs-2.db" beside it, or the first number that is free.
fs::path freeName(const fs::path& file) {
  std::error_code code;
  const auto isFree = [&](const fs::path& name) {
    return fs::symlink_status(name, code).type() == fs::file_type::not_found;
  };
  fs::path name = file;
  for (int number = 2; !isFree(name); ++number)
    name = file.parent_path() / (file.stem().string() + "-" + std::to_string(number) + file.extension().string());
  return name;
}

/// Of this opening of a store, among all others.
std::string randomToken() {
  std::random_device device;
  char text[40];
  std::snprintf(text, sizeof text, "%08x%08x%08x%08x", device(), device(), device(), device());
  return text;
}

/// $HOME, or what the system says of the account.
fs::path homeFolder() {
  if (const char* home = std::getenv("HOME"); home != nullptr && home[0] == '/') return home;
  const passwd* account = ::getpwuid(::getuid());
  if (account != nullptr && account->pw_dir != nullptr && account->pw_dir[0] == '/') return account->pw_dir;
  throw Error("store",
              "expected HOME or XDG_DATA_HOME to say where the runs are kept, found neither and no home of this "
              "account; set one of them");
}

constexpr std::chrono::milliseconds kOpeningPatience(1000);  // a holder that is just beginning listens by then

}  // namespace

RunStore::Impl::Impl(fs::path path, Access how, std::shared_ptr<StoreSelf> process, std::optional<StoreLock> held,
                     Connection::Mode mode)
    : file(std::move(path)),
      access(how),
      self(std::move(process)),
      acting(&self->client.process),
      lock(std::move(held)),
      db(file, mode) {}

RunStore::RunStore(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RunStore::~RunStore() = default;

std::unique_ptr<RunStore> RunStore::open(const fs::path& file, Access access) {
  if (access != Access::readOnly) makeFolderOf(file);
  std::error_code code;
  if (access == Access::readOnly && !fs::exists(file, code))
    throw Error("store",
                file.string() + ": expected a run store, found nothing there; check the path, or train to make one");
  if (const std::string other = otherThanRegular(file); !other.empty())
    throw Error("store", file.string() + ": expected a run store, found " + other + "; choose a regular file");
  auto self = std::make_shared<StoreSelf>();
  self->client.process.who = describeThisProcess();
  self->client.token = randomToken();
  std::unique_ptr<Impl> impl;
  switch (access) {
    case Access::write: impl = Impl::holder(file, access, std::move(self)); break;
    case Access::shared: impl = Impl::holderOrGuest(file, std::move(self), kOpeningPatience); break;
    case Access::readOnly: impl = Impl::reader(file, access, std::move(self)); break;
  }
  return std::unique_ptr<RunStore>(new RunStore(std::move(impl)));
}

std::unique_ptr<RunStore::Impl> RunStore::Impl::reader(const fs::path& file, Access how,
                                                       std::shared_ptr<StoreSelf> self) {
  auto impl = std::make_unique<Impl>(file, how, std::move(self), std::nullopt, readingMode(file));
  checkVersion(impl->db);
  if (!impl->db.query("SELECT 1 FROM sqlite_schema WHERE name = 'runs'").next())
    throw Error("store", file.string() + ": expected a run store, found an empty file; train to fill it");
  impl->version = versionOf(impl->db);
  return impl;
}

std::unique_ptr<RunStore::Impl> RunStore::Impl::holder(const fs::path& file, Access how,
                                                       std::shared_ptr<StoreSelf> self) {
  StoreLock lock(file);
  auto impl = std::make_unique<Impl>(file, how, std::move(self), std::move(lock), Connection::Mode::write);
  checkVersion(impl->db);  // before anything of it is changed
  // WAL: readers never wait, and a kill at any moment leaves the last whole transaction. NORMAL: only a power cut may
  // take the newest ones.
  impl->db.execute("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL");
  migrate(impl->db);
  impl->version = versionOf(impl->db);
  impl->db.run("UPDATE runs SET state = ? WHERE state = ?", nameOf(RunSummary::State::interrupted),
               nameOf(RunSummary::State::running));
  impl->restate(impl->self->client.process);
  impl->log = inodeOf(file.string() + "-wal");
  impl->disk = diskOf(file);
  return impl;
}

const fs::path& RunStore::file() const { return impl_->file; }
RunStore::Access RunStore::access() const { return impl_->access; }
bool RunStore::isLost() const { return impl_->db.hasMoved(); }

void RunStore::writeAnew() {
  const fs::path target = freeName(impl_->file);
  if (!impl_->lock) {  // who holds it writes it anew; this one looks there again
    if (target == impl_->file)
      throw Error(
          "store",
          target.string() +
              ": expected the program that holds it to write it anew, found nothing there yet; it is tried again");
    impl_ = Impl::holderOrGuest(impl_->file, impl_->self, kOpeningPatience);
    return;
  }
  if (impl_->disk != diskOf(target))
    throw Error("store", target.string() +
                             ": expected the disk that it was on, found another there; put it back in its place, or "
                             "choose another store");
  makeFolderOf(target);
  // Whole or not at all under that name: another program may be looking for a store there.
  const fs::path partial = target.string() + ".partial";
  std::error_code ignored;
  fs::remove(partial, ignored);
  impl_->db.run("VACUUM INTO ?", partial.string());
  if (::link(partial.c_str(), target.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    fs::remove(partial, ignored);
    throw Error("store",
                target.string() + ": expected to write the store anew, found: " + reason + "; choose another store");
  }
  fs::remove(partial, ignored);
  impl_->lock.reset();  // of a file that may be the one to lock now
  const fs::path old = impl_->file;
  const std::optional<std::uint64_t> log = impl_->log;
  impl_ = Impl::holder(target, impl_->access, impl_->self);
  // What SQLite wrote ahead for the lost file is no part of the one that took its place, and would damage it.
  if (target != old && log && log == inodeOf(old.string() + "-wal"))
    for (const char* end : {"-wal", "-shm"}) fs::remove(old.string() + end, ignored);
}

bool RunStore::holds() const { return impl_->lock.has_value(); }

void RunStore::Impl::requireFound(RunId run) const {
  if (db.changes() == 0)
    throw Error("store",
                file.string() + ": expected run " + std::to_string(run) + ", found none of that number; list the runs");
}

void RunStore::Impl::requireRun(RunId run) const {
  if (!db.query("SELECT 1 FROM runs WHERE id = ?", run).next())
    throw Error("store",
                file.string() + ": expected run " + std::to_string(run) + ", found none of that number; list the runs");
}

void RunStore::Impl::damaged() const {
  throw Error("store", file.string() +
                           ": expected blocks of per-layer values as they were written, found damaged ones; put a copy "
                           "of the store back");
}

std::string RunStore::setting(const std::string& key) const {
  Rows rows = impl_->db.query("SELECT value FROM settings WHERE key = ?", key);
  return rows.next() ? rows.text(0) : std::string();
}

void RunStore::setSetting(const std::string& key, const std::string& value) {
  if (handedOver<&RunStore::setSetting>(key, value)) return;
  impl_->db.run("INSERT OR REPLACE INTO settings(key, value) VALUES(?, ?)", key, value);
}

fs::path defaultStorePath() {
  const char* data = std::getenv("XDG_DATA_HOME");
  // The XDG rules: a relative path does not count.
  const fs::path base = data != nullptr && data[0] == '/' ? fs::path(data) : homeFolder() / ".local/share";
  return base / "switchyard" / "runs.db";
}

fs::path checkpointFolder(const fs::path& store, RunId run) {
  return store.parent_path() / "runs" / std::to_string(run);
}

}  // namespace moe
