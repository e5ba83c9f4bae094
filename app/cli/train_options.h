#pragma once
#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/train/run_config.h"

namespace moe::cli {

/// What `train` was asked for, as typed.
struct TrainOptions {
  std::string preset, config;    // at most one of the two
  std::vector<std::string> set;  // path=value
  std::optional<std::string> data, dtype;
  std::string backend;  // empty: the configuration's
  std::optional<std::int64_t> steps, checkpointEvery;
  std::optional<std::uint64_t> seed;
  std::optional<int> threads;
  std::string store, out, resume, upcycle;  // store empty: the default one
  std::string rate = "stretch";             // or hold: of a resumed run whose target is another
  bool acceptOtherText = false;             // with resume
  bool json = false;
};

void addOptions(CLI::App& command, TrainOptions& options);

/// The configuration of a new run. Throws CLI::ValidationError for a wrong option, Error for a wrong file.
RunConfig configOf(const TrainOptions& options);

/// The live settings (path, value) that a resumed run is to change; not --data, which names its text's new place. Throws CLI::ValidationError for one that may not.
std::vector<std::pair<std::string, std::string>> changesOf(const TrainOptions& options);

}  // namespace moe::cli
