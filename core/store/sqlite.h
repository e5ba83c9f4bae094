#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

struct sqlite3;
struct sqlite3_stmt;

namespace moe {

using Bytes = std::span<const std::byte>;

/// One use of a compiled statement: bound, stepped, and reset when it goes.
class Rows {
 public:
  /// Values are bound in order.
  template <class... Values>
  Rows(sqlite3* database, sqlite3_stmt* statement, const std::filesystem::path& file, const Values&... values)
      : database_(database), statement_(statement), file_(file) {
    [[maybe_unused]] int index = 0;
    (bindNext(index, values), ...);
  }
  ~Rows();
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;

  bool next();  // false behind the last row
  bool isNull(int column) const;
  std::int64_t integer(int column) const;
  double real(int column) const;  // NaN where null
  std::optional<double> optionalReal(int column) const;
  std::string text(int column) const;
  Bytes blob(int column) const;  // valid until next()

 private:
  template <class Value>
  void bindNext(int& index, const Value& value) {
    bind(++index, value);
  }
  /// One parameter each.
  void bindNext(int& index, const std::vector<double>& values) {
    for (const double value : values) bind(++index, value);
  }
  void bind(int index, std::int64_t value);
  void bind(int index, int value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, bool value) { bind(index, static_cast<std::int64_t>(value)); }
  void bind(int index, double value);  // NaN is stored as null
  void bind(int index, std::optional<double> value);
  void bind(int index, std::string_view value);
  void bind(int index, const std::string& value) { bind(index, std::string_view(value)); }
  void bind(int index, const char* value) { bind(index, std::string_view(value)); }
  void bind(int index, Bytes value);
  void bind(int index, const std::vector<std::byte>& value) { bind(index, Bytes(value)); }
  void check(int code) const;

  sqlite3* database_;
  sqlite3_stmt* statement_;
  const std::filesystem::path& file_;
};

/// A connection to one SQLite file. Errors are Error("store") with a remedy. Belongs to one thread.
class Connection {
 public:
  enum class Mode { write, readOnly, unchanging };  // unchanging: in a folder where no side file can be made
  Connection(std::filesystem::path file, Mode mode);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  const std::filesystem::path& file() const { return file_; }
  /// Several statements without parameters.
  void execute(const char* sql);
  /// `sql` is a literal, compiled once and kept; one use of it at a time.
  template <class... Values>
  Rows query(const char* sql, const Values&... values) {
    return Rows(database_, statement(sql), file_, values...);
  }
  template <class... Values>
  void run(const char* sql, const Values&... values) {
    query(sql, values...).next();
  }
  std::int64_t lastRowId() const;
  std::int64_t changes() const;  // rows of the last statement
  bool inTransaction() const;
  /// Whether the file was deleted, moved or replaced since it was opened: what is written then reaches no file of its name.
  bool hasMoved() const;

 private:
  sqlite3_stmt* statement(const char* sql);

  std::filesystem::path file_;
  sqlite3* database_ = nullptr;
  std::unordered_map<std::string_view, sqlite3_stmt*> statements_;  // keyed by literals
};

/// Everything until commit() happens or nothing does. Within another one it is part of that.
class Transaction {
 public:
  explicit Transaction(Connection& connection);
  ~Transaction();
  void commit();

 private:
  Connection& connection_;
  const bool within_;
  bool committed_ = false;
};

}  // namespace moe
