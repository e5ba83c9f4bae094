#pragma once
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/backend/module.h"

namespace moe {

/// Backends in shared libraries, by name: cuda is libswitchyard_cuda.so in the first of the folders that has one which
/// can be used. Nothing is opened before somebody asks for that name, and then once. Any thread.
class Modules {
 public:
  explicit Modules(std::vector<std::filesystem::path> folders) : folders_(std::move(folders)) {}

  struct Opened {
    const BackendModule* module = nullptr;
    std::string problem;  // where it is null: a sentence with a remedy, naming the file or the folders
  };
  const Opened& open(const std::string& name);

  /// Names of the files that are there, in order; whether they can be used is another matter.
  std::vector<std::string> names() const;
  const std::vector<std::filesystem::path>& folders() const { return folders_; }

 private:
  Opened search(const std::string& name) const;

  const std::vector<std::filesystem::path> folders_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<const Opened>> opened_;  // guarded by mutex_
};

/// The folders of SWITCHYARD_MODULES (colons between them), then the program's own.
std::vector<std::filesystem::path> moduleFolders();

/// What this process opens.
Modules& modules();

}  // namespace moe
