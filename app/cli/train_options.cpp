#include "app/cli/train_options.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "app/cli/backend_option.h"
#include "core/backend/backend.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/base/json_text.h"
#include "core/base/json_value.h"
#include "core/formats/checkpoint.h"

namespace moe::cli {

namespace {

constexpr std::int64_t kLongestConfig = 1 << 20;

std::pair<std::string, std::string> split(const std::string& setting) {
  const std::size_t at = setting.find('=');
  if (at == std::string::npos || at == 0)
    throw CLI::ValidationError("--set", setting + ": expected path=value, such as balance.0.coefficient=0.01");
  return {setting.substr(0, at), setting.substr(at + 1)};
}

RunConfig readConfig(const std::string& path) {
  const std::string text = readFile("config", path, kLongestConfig);
  std::string problem;
  const nlohmann::json json = parseStrictJson(text, kDeepestJson, problem);
  if (json.is_discarded()) throw Error("config", path + ": " + problem + "; check its commas and braces");
  if (!problem.empty()) throw Error("config", path + ": " + problem);
  try {
    return runConfigFromJson(json);
  } catch (const Error& error) { throw Error("config", path + ": " + error.what()); }
}

/// What was typed in one place, as paths and JSON texts.
std::vector<std::pair<std::string, std::string>> typed(const TrainOptions& options) {
  std::vector<std::pair<std::string, std::string>> list;
  if (options.data && options.resume.empty()) list.emplace_back("data.source", bytesJson(*options.data).dump());
  if (options.steps) list.emplace_back("train.steps", std::to_string(*options.steps));
  if (options.checkpointEvery) list.emplace_back("train.checkpoint_every", std::to_string(*options.checkpointEvery));
  if (options.seed) list.emplace_back("seed", std::to_string(*options.seed));
  if (options.threads) list.emplace_back("threads", std::to_string(*options.threads));
  if (options.dtype) list.emplace_back("dtype", nlohmann::json(*options.dtype).dump());
  if (!options.backend.empty()) list.emplace_back("backend", nlohmann::json(options.backend).dump());
  for (const std::string& setting : options.set) list.push_back(split(setting));
  return list;
}

}  // namespace

void addOptions(CLI::App& command, TrainOptions& options) {
  auto* preset = command.add_option("--preset", options.preset,
                                    "A preset's name (default: " + firstPreset().id + "; see `presets`)");
  command.add_option("--config", options.config, "A configuration as JSON")->excludes(preset);
  command.add_option("--set", options.set, "One setting, such as balance.0.coefficient=0.01 or select.k=1")
      ->allow_extra_args(false);
  command.add_option("--data", options.data,
                     "A text file, a folder of them, or builtin:domains; with --resume, where the run's text lies now");
  command.add_option("--steps", options.steps, "Target")->check(CLI::Range(std::int64_t{1}, INT64_MAX));
  command.add_option("--seed", options.seed, "Of weights, batches and draws");
  command.add_option("--threads", options.threads, "0: all cores")->check(CLI::Range(0, 1024));
  command
      .add_option(
          "--dtype", options.dtype,
          "f32, bf16, auto (bf16 where the processor has it and the model gains), or f64 on the reference backend")
      ->check(CLI::IsMember({"f32", "bf16", "auto", "f64"}));
  addBackendOption(command, options.backend, "default: the configuration's");
  command.add_option("--store", options.store, "Where runs are recorded (default: in the user's data folder)");
  command.add_option("--out", options.out, "Folder of this run's checkpoints (default: beside the store)");
  auto* resume = command.add_option("--resume", options.resume,
                                    "Continues from a checkpoint, or from the newest of a folder of them");
  command
      .add_option("--rate", options.rate,
                  "What the learning rate does where a resumed run gets another target: stretch (its cosine over the "
                  "new steps) or hold (it stays where it is)")
      ->check(CLI::IsMember({"stretch", "hold"}))
      ->capture_default_str()
      ->needs(resume);
  command
      .add_flag("--accept-other-text", options.acceptOtherText,
                "Continues though the text is not the one the run was trained on")
      ->needs(resume);
  command
      .add_option("--upcycle", options.upcycle,
                  "Makes the experts out of this dense checkpoint's networks, in a model of its sizes, on its text")
      ->excludes(resume);
  command.add_option("--checkpoint-every", options.checkpointEvery, "Steps; 0: only the first and the last")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{INT32_MAX}));
  command.add_flag("--json", options.json, "One JSON object a step on standard output");
}

RunConfig configOf(const TrainOptions& options) {
  RunConfig config;
  if (!options.config.empty()) {
    config = readConfig(options.config);
  } else {
    try {
      config = runConfigOfPreset(options.preset.empty() ? firstPreset().id : options.preset);
    } catch (const Error& error) { throw CLI::ValidationError("--preset", error.what()); }
  }
  const auto apply = [&] {
    for (const auto& [path, value] : typed(options)) {
      try {
        setByPath(config, path, value);
      } catch (const Error& error) { throw CLI::ValidationError(path, error.what()); }
    }
  };
  apply();
  if (options.upcycle.empty()) return config;
  // Copies or slices, and how many, decide the sizes; what was typed stands over what they come to.
  config = grownFromDense(config, openCheckpoint(options.upcycle).about.config, options.upcycle);
  apply();
  return config;
}

std::vector<std::pair<std::string, std::string>> changesOf(const TrainOptions& options) {
  if (!options.preset.empty() || !options.config.empty())
    throw CLI::ValidationError("--resume", "the checkpoint says what the run is; leave --preset and --config out");
  auto changes = typed(options);
  for (const auto& [path, value] : changes)
    if (!changesLive(path))
      throw CLI::ValidationError(path,
                                 "a resumed run keeps it, or it would be another run; leave it out or start a new run");
  return changes;
}

}  // namespace moe::cli
