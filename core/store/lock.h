#pragma once
#include <filesystem>

namespace moe {

/// Held by the one process that writes a store: a file beside it that names the process, under a lock the system frees
/// when the process ends, however it ends.
class StoreLock {
 public:
  /// Throws Error("store") naming the process that holds it, or why the file cannot be made.
  explicit StoreLock(const std::filesystem::path& store);
  ~StoreLock();
  StoreLock(const StoreLock&) = delete;
  StoreLock& operator=(const StoreLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace moe
