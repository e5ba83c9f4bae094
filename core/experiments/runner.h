#pragma once
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/experiments/verdict.h"

namespace moe {

struct RunnerSettings {
  std::filesystem::path folder;      // of results; what is there already is not trained again
  int jobs = 2;                      // arms at a time, one thread each
  std::vector<std::uint64_t> seeds;  // empty: each experiment's own
  std::filesystem::path texts;       // folder of the texts that are not shipped; empty: there are none
  /// A sentence when an arm is done; from the thread that trained it, one at a time.
  std::function<void(const std::string&)> progress;
};

/// Trains what is missing, then gathers everything. The numbers do not depend on `jobs`. What cannot be tried here for want
/// of a text or of bf16 says so and has no results. Where an arm fails no other is
/// begun, and what it threw is thrown when those under way are done.
std::vector<Outcome> runExperiments(std::span<const Experiment> experiments, const RunnerSettings& settings);

}  // namespace moe
