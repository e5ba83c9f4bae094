#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "core/experiments/measures.h"
#include "core/train/run_config.h"

namespace moe {

/// What trained arms gave, one JSON file each in a folder, so that nothing is trained twice: arms that are the same
/// configuration, even in different experiments, are the same file. Any thread may write one of its own.
class ResultFolder {
 public:
  explicit ResultFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Names a configuration; two that train the same numbers have the same key, whatever they are called. `dense`: the
  /// key of what it grew from.
  static std::string keyOf(const RunConfig& config, const std::string& dense);

  /// Throws Error("experiment") for a file that is not a result.
  std::optional<ArmResult> find(const std::string& key) const;
  void keep(const std::string& key, const RunConfig& config, const ArmResult& result) const;
  /// Where the trained model of a key lies, for those that others grow from.
  std::filesystem::path checkpointOf(const std::string& key) const { return folder_ / (key + ".checkpoint"); }

 private:
  std::filesystem::path folder_;
};

}  // namespace moe
