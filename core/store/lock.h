#pragma once
#include <filesystem>
#include <string>
#include <utility>

#include "core/base/error.h"

namespace moe {

/// Another process holds the store.
class StoreHeld : public Error {
 public:
  using Error::Error;
};

/// "process 4711 (since 2025-01-31T12:00:00Z)": this one, as a person can look for it.
std::string describeThisProcess();

/// Held by the one process that writes a store: a file beside it that names the process, under a lock the system frees
/// when the process ends, however it ends.
class StoreLock {
 public:
  /// Throws StoreHeld naming the process that holds it, or Error("store") where the file cannot be made.
  explicit StoreLock(const std::filesystem::path& store);
  ~StoreLock();
  StoreLock(StoreLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  StoreLock& operator=(StoreLock&&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace moe
