#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>

#include "app/cli/backend_option.h"
#include "app/cli/commands.h"
#include "app/cli/json_lines.h"
#include "core/backend/backend.h"
#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/inspect/text_routing.h"
#include "core/session/stored_model.h"

namespace moe::cli {

namespace {

struct GenerateOptions {
  std::string backend;
  std::string checkpoint, prompt;
  GenerateSettings settings;
  bool json = false;
};

void generate(const GenerateOptions& options) {
  if (firstInvalidUtf8(options.prompt))
    throw Error("generate", "--prompt: expected UTF-8, found other bytes; save or paste it as UTF-8");
  const CheckpointFile checkpoint = openCheckpoint(options.checkpoint);
  const std::unique_ptr<Backend> backend = backendOfStored({.name = checkpoint.about.config.backend}, options.backend);
  const StoredModel stored = loadStoredModel(*backend, checkpoint);
  Generation generation(*stored.model, *stored.tokenizer, options.prompt, options.settings);
  if (!generation.result().problem.empty()) throw Error("generate", generation.result().problem);
  std::size_t printed = 0;
  const auto print = [&] {  // what came since, as it comes
    const std::string text = generation.text();
    std::fwrite(text.data() + printed, 1, text.size() - printed, stdout);
    std::fflush(stdout);
    printed = text.size();
  };
  bool more = options.settings.tokens > 0;
  while (more) {
    if (!options.json) print();
    more = generation.advance();
  }
  if (options.json) {
    nlohmann::ordered_json line = routingObject(generation.result());
    line["text"] = displayable(generation.text());
    line["prompt"] = options.prompt;
    return printLine(line);
  }
  print();
  std::printf("\n");
}

}  // namespace

void addGenerate(CLI::App& program) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = program.add_subcommand("generate", "Continues a prompt");
  command->add_option("--checkpoint", options->checkpoint, "A checkpoint's folder, or a run's")->required();
  addBackendOption(*command, options->backend, "default: the run's own");
  command->add_option("--prompt", options->prompt, "What to continue")->required();
  command->add_option("--tokens", options->settings.tokens, "How many tokens")
      ->required()
      ->check(CLI::Range(0, 1'000'000));
  command->add_option("--temperature", options->settings.temperature, "0: always the likeliest token")
      ->check(CLI::Range(0.0, 100.0))
      ->capture_default_str();
  command->add_option("--seed", options->settings.seed, "Of the draws")->capture_default_str();
  command->add_flag("--json", options->json, "One JSON object, with every token's routing");
  command->callback([options] { generate(*options); });
}

}  // namespace moe::cli
