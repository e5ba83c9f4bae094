#include <algorithm>
#include <cmath>
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

struct InspectOptions {
  std::string backend;
  std::string checkpoint, text;
  bool json = false;
};

/// "3 0.71  5 0.29": the experts and their weights.
std::string chosen(const TokenLayerRouting& layer) {
  std::string text;
  for (std::size_t i = 0; i < layer.experts.size(); ++i) {
    char part[48];
    std::snprintf(part, sizeof part, "%s%d %.2f", i ? "  " : "", layer.experts[i], layer.weights[i]);
    text += part;
  }
  return layer.dropped ? text + " (dropped)" : text;
}

std::string shown(const std::string& text) {
  return text == "\n" ? "\\n" : text == "\t" ? "\\t" : text == "\r" ? "\\r" : text == " " ? "␠" : text;
}

void inspect(const InspectOptions& options) {
  if (firstInvalidUtf8(options.text))
    throw Error("inspect", "--text: expected UTF-8, found other bytes; save or paste it as UTF-8");
  const CheckpointFile checkpoint = openCheckpoint(options.checkpoint);
  const std::unique_ptr<Backend> backend = backendOfStored({.name = checkpoint.about.config.backend}, options.backend);
  const StoredModel stored = loadStoredModel(*backend, checkpoint);
  const TextRouting routing = routeText(*stored.model, *stored.tokenizer, options.text);
  if (!routing.problem.empty()) throw Error("inspect", routing.problem);
  if (options.json) return printLine(routingObject(routing));
  std::printf("Run %lld, step %lld: each layer's experts with their weights.\n", static_cast<long long>(stored.run),
              static_cast<long long>(stored.step));
  const auto drops = [](const LayerConfig& layer) {
    return layer.hasExperts && !layer.recipe.capacity.dropless() &&
           layer.recipe.select.kind != Recipe::Select::Kind::expertChoice;
  };
  if (std::ranges::any_of(stored.config.model.layers, drops))
    std::printf("Capacity is not applied to a text: nothing is dropped here, whatever training drops.\n");
  if (routing.leftOut > 0)
    std::printf("The model sees %lld tokens: the first %lld of the text are left out.\n",
                static_cast<long long>(stored.config.model.context), static_cast<long long>(routing.leftOut));
  for (const TokenRouting& token : routing.tokens) {
    std::printf("%-8s", shown(token.text).c_str());
    if (std::isnan(token.loss)) {
      std::printf("%11s", "");
    } else {
      std::printf(" %5.2f nats", token.loss);
    }
    for (const TokenLayerRouting& layer : token.layers)
      std::printf("  | %s: %s", layerSymbol(layer.layer).c_str(), chosen(layer).c_str());
    std::printf("\n");
  }
}

}  // namespace

void addInspect(CLI::App& program) {
  auto options = std::make_shared<InspectOptions>();
  CLI::App* command = program.add_subcommand("inspect", "Shows which experts every token of a text goes to");
  command->add_option("--checkpoint", options->checkpoint, "A checkpoint's folder, or a run's")->required();
  addBackendOption(*command, options->backend, "default: the run's own");
  command->add_option("--text", options->text, "The text")->required();
  command->add_flag("--json", options->json, "One JSON object");
  command->callback([options] { inspect(*options); });
}

}  // namespace moe::cli
