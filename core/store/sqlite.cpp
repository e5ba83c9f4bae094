#include "core/store/sqlite.h"

#include <sqlite3.h>

#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/error.h"

namespace moe {
namespace {

[[noreturn]] void failed(sqlite3* database, const std::filesystem::path& file, int code) {
  const int system = database == nullptr ? 0 : sqlite3_system_errno(database);
  const std::string name = file.string();
  switch (code & 0xff) {
    case SQLITE_FULL:
      throw NoRoom(
          "store",
          name + ": expected room to record, found the disk full; free some space, what was recorded before is safe");
    case SQLITE_IOERR:
      // A size limit of the process and some full disks come as a refused write, without the system's reason.
      if (code == SQLITE_IOERR_WRITE || code == SQLITE_IOERR_TRUNCATE || code == SQLITE_IOERR_SHMSIZE ||
          code == SQLITE_IOERR_FSYNC)
        throw NoRoom("store",
                     name +
                         ": expected room to record, found the write refused (a full disk, a size limit or a failing "
                         "disk); free some space, what was recorded before is safe");
      throw Error("store", name + ": expected to read and write, found: " +
                               (system != 0 ? std::strerror(system) : sqlite3_errstr(code)) + "; check the disk");
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      throw Error(
          "store",
          name +
              ": expected a run store, found a damaged file or one of another kind; move it away and a new one is "
              "made, or put a copy of it back");
    case SQLITE_READONLY:
    case SQLITE_PERM:
      throw Error(
          "store",
          name +
              ": expected a file and folder that may be written, found them read-only; change their permissions or "
              "choose another store");
    case SQLITE_CANTOPEN:
      throw Error("store", name + ": expected a run store that can be opened, found: " +
                               (system != 0 ? std::strerror(system) : "no such file") +
                               "; check the path and its permissions");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      throw Error("store",
                  name + ": expected to be the one that writes, found another program writing; close it and try again");
    default:
      throw Error("store", name + ": expected the database to answer, found: " +
                               (database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code)) +
                               "; try again, or move the file away");
  }
}

/// A path as a file: URI, for the parameters that only a URI takes.
std::string uriOf(const std::filesystem::path& file) {
  std::string uri = "file:";
  for (const char c : std::filesystem::absolute(file).string()) {
    constexpr char kHex[] = "0123456789ABCDEF";
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || std::strchr("/._-~", c) != nullptr)
      uri += c;
    else
      uri += std::string{'%', kHex[byte >> 4], kHex[byte & 15]};
  }
  return uri;
}

}  // namespace

Rows::~Rows() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
}

void Rows::check(int code) const {
  if (code != SQLITE_OK) failed(database_, file_, code);
}

bool Rows::next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) failed(database_, file_, sqlite3_extended_errcode(database_));
  return false;
}

bool Rows::isNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
std::int64_t Rows::integer(int column) const { return sqlite3_column_int64(statement_, column); }
double Rows::real(int column) const {
  return isNull(column) ? std::numeric_limits<double>::quiet_NaN() : sqlite3_column_double(statement_, column);
}
std::optional<double> Rows::optionalReal(int column) const {
  if (isNull(column)) return std::nullopt;
  return sqlite3_column_double(statement_, column);
}
std::string Rows::text(int column) const {
  const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  return text == nullptr ? std::string()
                         : std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
}
Bytes Rows::blob(int column) const {
  const auto* blob = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  return {blob, blob == nullptr ? 0 : static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

void Rows::bind(int index, std::int64_t value) { check(sqlite3_bind_int64(statement_, index, value)); }
void Rows::bind(int index, double value) { check(sqlite3_bind_double(statement_, index, value)); }
void Rows::bind(int index, std::optional<double> value) {
  check(value ? sqlite3_bind_double(statement_, index, *value) : sqlite3_bind_null(statement_, index));
}
void Rows::bind(int index, std::string_view value) {
  check(sqlite3_bind_text64(statement_, index, value.data() == nullptr ? "" : value.data(), value.size(),
                            SQLITE_TRANSIENT, SQLITE_UTF8));
}
void Rows::bind(int index, Bytes value) {
  if (value.empty()) return check(sqlite3_bind_zeroblob(statement_, index, 0));
  check(sqlite3_bind_blob64(statement_, index, value.data(), value.size(), SQLITE_TRANSIENT));
}

Connection::Connection(std::filesystem::path file, Mode mode) : file_(std::move(file)) {
  std::string uri = uriOf(file_);
  if (mode == Mode::unchanging) uri += "?immutable=1";
  const int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX |
                    (mode == Mode::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
  const int code = sqlite3_open_v2(uri.c_str(), &database_, flags, nullptr);
  if (code == SQLITE_OK) {
    sqlite3_extended_result_codes(database_, 1);
    sqlite3_busy_timeout(database_, 5000);
    return;
  }
  try {
    failed(database_, file_, code);
  } catch (...) {
    sqlite3_close(database_);
    throw;
  }
}

Connection::~Connection() {
  for (const auto& [sql, statement] : statements_) sqlite3_finalize(statement);
  sqlite3_close(database_);
}

void Connection::execute(const char* sql) {
  const int code = sqlite3_exec(database_, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) failed(database_, file_, code);
}

sqlite3_stmt* Connection::statement(const char* sql) {
  const auto known = statements_.find(sql);
  if (known != statements_.end()) return known->second;
  sqlite3_stmt* compiled = nullptr;
  const int code = sqlite3_prepare_v3(database_, sql, -1, SQLITE_PREPARE_PERSISTENT, &compiled, nullptr);
  if (code != SQLITE_OK) failed(database_, file_, code);
  statements_.emplace(sql, compiled);
  return compiled;
}

std::int64_t Connection::lastRowId() const { return sqlite3_last_insert_rowid(database_); }
std::int64_t Connection::changes() const { return sqlite3_changes64(database_); }
bool Connection::inTransaction() const { return sqlite3_get_autocommit(database_) == 0; }

bool Connection::hasMoved() const {
  int moved = 0;
  return sqlite3_file_control(database_, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && moved != 0;
}

Transaction::Transaction(Connection& connection) : connection_(connection), within_(connection.inTransaction()) {
  if (!within_) connection_.execute("BEGIN IMMEDIATE");
}

Transaction::~Transaction() {
  if (within_ || committed_ || !connection_.inTransaction()) return;  // a full disk rolls back by itself
  try {
    connection_.execute("ROLLBACK");
  } catch (const Error&) {
    // The error that brought us here is the one to tell.
  }
}

void Transaction::commit() {
  if (!within_) connection_.execute("COMMIT");
  committed_ = true;
}

}  // namespace moe
