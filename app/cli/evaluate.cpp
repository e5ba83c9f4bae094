#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/backend_option.h"
#include "app/cli/commands.h"
#include "app/cli/json_lines.h"
#include "app/cli/progress_line.h"
#include "core/backend/backend.h"
#include "core/base/checksum.h"
#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/inspect/left_out.h"
#include "core/model/segments.h"
#include "core/session/run_preparation.h"
#include "core/session/stored_model.h"
#include "core/telemetry/figure_text.h"
#include "core/train/evaluation.h"

namespace moe::cli {

namespace {

struct EvaluateOptions {
  std::string backend;
  std::string checkpoint, data;
  std::vector<std::string> without, set;
  std::int64_t tokens = kValidationTokens;
  int threads = -1;
  bool json = false;
};

/// Settings that keep every weight: k, capacity, the kind of weight ...
void change(RunConfig& config, const EvaluateOptions& options) {
  if (options.set.empty()) return;
  const ModelConfig before = config.model;
  for (const std::string& setting : options.set) {
    const std::size_t at = setting.find('=');
    if (at == std::string::npos || at == 0)
      throw CLI::ValidationError("--set", setting + ": expected path=value, such as select.k=3");
    try {
      setByPath(config, setting.substr(0, at), setting.substr(at + 1));
    } catch (const Error& error) { throw CLI::ValidationError("--set", error.what()); }
  }
  if (const std::vector<Problem> found = problems(config); !found.empty())
    throw CLI::ValidationError("--set", found.front().path + ": " + found.front().sentence);
  if (!sameSegments(before, config.model))
    throw CLI::ValidationError("--set", "this needs weights that the checkpoint does not have; train a run with it");
}

/// What the number depends on besides the weights and the text.
std::vector<std::string> notesOf(const RunConfig& config, const std::vector<LeftOut>& left) {
  std::vector<std::string> notes;
  if (std::ranges::any_of(config.model.layers, [](const LayerConfig& layer) {
        return layer.hasExperts && !layer.recipe.capacity.dropless();
      }))
    notes.push_back("Capacity is kept: slots are those of a batch of " + std::to_string(config.train.batch) +
                    " sequences (train.batch), and another batch drops other tokens.");
  if (std::ranges::any_of(left, [](const LeftOut& each) { return !each.shared; }))
    notes.push_back("Experts are left out before the scores are made: under a softmax the weights of the others rise.");
  return notes;
}

void evaluate(const EvaluateOptions& options) {
  std::vector<LeftOut> left;
  for (const std::string& text : options.without) {
    try {
      left.push_back(leftOutFromText(text));
    } catch (const Error& error) { throw CLI::ValidationError("--without", error.what()); }
  }
  CheckpointFile checkpoint = openCheckpoint(options.checkpoint);
  RunConfig& config = checkpoint.about.config;
  change(config, options);
  if (!options.data.empty()) config.data.source = options.data;
  if (options.threads >= 0) config.threads = options.threads;
  BackendOptions device = backendOptions(config);
  if (device.computeType == DType::f64) device.computeType = DType::f32;
  const std::unique_ptr<Backend> backend = backendOfStored(device, options.backend);
  const std::string trainedOn = options.data.empty() ? checkpoint.about.textChecksum : "";
  ProgressLine line;
  const StoredModel stored = loadStoredModel(*backend, checkpoint);
  const std::shared_ptr<const Corpus> corpus = loadCorpus(stored.config.data, stored.tokenizer, line.progress());
  if (!trainedOn.empty() && checksumText(corpus->checksum()) != trainedOn)
    std::fprintf(stderr, "%s is not the text that the run was trained on: another checksum.\n",
                 shownName(stored.config.data.source).c_str());
  leaveOut(*stored.model, left);
  Batch batch;
  const HeldOutLoss result =
      heldOutLoss(*stored.model, *corpus, batch, stored.config.train.batch, options.tokens, {}, {}, line.progress());
  line.clear();
  const std::vector<std::string> notes = notesOf(stored.config, left);
  if (options.json)
    return printLine({{"run", stored.run},
                      {"step", stored.step},
                      {"without", options.without},
                      {"set", options.set},
                      {"val_loss", result.loss},
                      {"tokens", result.tokens},
                      {"held_out_tokens", corpus->heldOutTokens()},
                      {"notes", notes}});
  std::string without;
  for (const LeftOut& each : left) without += (without.empty() ? ", without " : ", ") + textOf(each);
  std::printf("Run %lld, step %lld%s: validation %.4f nats a token %s\n", static_cast<long long>(stored.run),
              static_cast<long long>(stored.step), without.c_str(), result.loss,
              overHeldOut(result.tokens, corpus->heldOutTokens()).c_str());
  for (const std::string& note : notes) std::printf("%s\n", note.c_str());
}

}  // namespace

void addEvaluate(CLI::App& program) {
  auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command =
      program.add_subcommand("evaluate", "Validation loss of a checkpoint, with or without some experts");
  command->add_option("--checkpoint", options->checkpoint, "A checkpoint's folder, or a run's")->required();
  addBackendOption(*command, options->backend, "default: the run's own");
  command
      ->add_option(
          "--without", options->without,
          "Experts to leave out: layer:expert (its tokens go to their next choice), layer:shared or all:shared "
          "(their output becomes 0)")
      ->delimiter(',');
  command->add_option("--set", options->set, "path=value, a setting that keeps every weight, such as select.k=3")
      ->allow_extra_args(false);
  command->add_option("--data", options->data, "Another text: its held-out part, cut up by the checkpoint's tokenizer");
  command->add_option("--tokens", options->tokens, "At most so many tokens of the held-out part, spread evenly over it")
      ->check(CLI::Range(std::int64_t{1}, INT64_MAX))
      ->capture_default_str();
  command->add_option("--threads", options->threads, "0: all cores (default: as the run had)")
      ->check(CLI::Range(0, 1024));
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options] { evaluate(*options); });
}

}  // namespace moe::cli
