#pragma once
#include <chrono>
#include <string_view>
#include <vector>

#include "core/backend/backend.h"

namespace moe {

/// Adds up the time spent in each operation of a backend that completes at once. Costs one branch while off.
/// Thread rule: the backend's thread.
class OperationTimer {
 public:
  /// Times from its construction to its end.
  class Scope {
   public:
    Scope(OperationTimer* timer, std::string_view operation);
    ~Scope();
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    OperationTimer* timer_;  // null: not timed
    std::string_view operation_;
    std::chrono::steady_clock::time_point start_;
  };

  /// Switching on clears what was gathered before.
  void setOn(bool on);
  /// `operation` must outlive the timer: a literal.
  [[nodiscard]] Scope time(std::string_view operation) { return {on_ ? this : nullptr, operation}; }
  /// In the order of first use; empty while off.
  std::vector<OperationTime> times() const;

 private:
  struct Entry {
    std::string_view operation;
    std::chrono::steady_clock::duration spent{};
    std::int64_t calls = 0;
  };
  void add(std::string_view operation, std::chrono::steady_clock::duration spent);

  bool on_ = false;
  std::vector<Entry> entries_;
};

}  // namespace moe
