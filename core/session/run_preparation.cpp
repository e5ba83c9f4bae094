#include "core/session/run_preparation.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>

#include "core/base/error.h"

namespace moe {

namespace {

std::string gigabytes(std::int64_t bytes) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f GB", static_cast<double>(bytes) / 1e9);
  return text;
}

void refuse(const RunConfig& config, const Surroundings& surroundings) {
  if (const std::vector<Problem> found = problems(config); !found.empty())
    throw Error("config", found.front().path + ": " + found.front().sentence);
  const std::int64_t free = freeMemory(), needed = predictedMemory(config);
  if (free > 0 && needed > free + surroundings.memoryReturned)
    throw Error("memory", "this model needs about " + gigabytes(needed) + " to train, " +
                              gigabytes(free + surroundings.memoryReturned) +
                              " are free; choose a smaller model, batch or context");
}

PreparedRun prepare(RunConfig config, std::shared_ptr<const Tokenizer> tokenizer, const Surroundings& surroundings) {
  if (config.threads == 0)
    config.threads = std::max(1, static_cast<int>(std::thread::hardware_concurrency()) - (surroundings.fluid ? 1 : 0));
  if (!config.data.source.starts_with("builtin:") && !config.data.source.empty())
    config.data.source = std::filesystem::absolute(config.data.source).lexically_normal().string();
  refuse(config, surroundings);
  PreparedRun run;
  const bool same = surroundings.similar && surroundings.similar->config.data == config.data && !tokenizer;
  run.corpus = same ? surroundings.similar->corpus : tokenizer ? loadCorpus(config.data, tokenizer) : loadCorpus(config.data);
  run.corpus->requireBatch(config.train.batch, config.model.context);
  config.model.vocabulary = run.corpus->tokenizer().vocabulary();
  refuse(config, surroundings);
  run.config = std::move(config);
  return run;
}

}  // namespace

PreparedRun prepareRun(RunConfig config, const Surroundings& surroundings) {
  return prepare(std::move(config), nullptr, surroundings);
}

PreparedRun prepareRun(const Checkpoint& checkpoint, const Surroundings& surroundings) {
  return prepare(checkpoint.config, checkpoint.tokenizer, surroundings);
}

BackendOptions backendOptions(const RunConfig& config) {
  return {.name = config.backend, .threads = config.threads, .computeType = config.computeType};
}

RunSummary summaryOf(const RunConfig& config) {
  const ModelSize size = sizeOf(config.model);
  RunSummary run;
  run.name = config.label.empty() ? config.preset : config.label;
  run.preset = config.preset;
  run.config = toJson(config).dump();
  run.seed = config.seed;
  run.targetSteps = config.train.steps;
  run.totalParameters = size.totalParameters;
  run.activeParameters = size.activeParameters;
  return run;
}

std::int64_t freeMemory() {
  std::ifstream file("/proc/meminfo");
  for (std::string name, unit; file >> name;) {
    std::int64_t kibibytes = 0;
    if (name == "MemAvailable:" && file >> kibibytes) return kibibytes * 1024;
    std::getline(file, unit);
  }
  return 0;
}

}  // namespace moe
