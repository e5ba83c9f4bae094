#include <algorithm>

#include "core/backend/backend.h"
#include "core/backend/registry.h"
#include "core/telemetry/figure_text.h"
#include "core/train/run_config.h"
#include "core/train/run_rows.h"

namespace moe {
namespace {

class List {
 public:
  void require(bool holds, const std::string& path, const std::string& sentence) {
    const bool known = std::ranges::any_of(problems, [&](const Problem& problem) {
      return problem.path == path && problem.sentence == sentence;  // layers share most of their recipe
    });
    if (!holds && !known) problems.push_back({path, sentence});
  }
  std::vector<Problem> problems;
};

/// What depends on the recipe and on the size of a batch together.
void checkBatch(List& list, const RunConfig& config) {
  const std::int64_t tokens = static_cast<std::int64_t>(config.train.batch) * config.model.context;
  for (const LayerConfig& layer : config.model.layers) {
    if (!layer.hasExperts) continue;
    const Recipe& recipe = layer.recipe;
    if (recipe.select.kind == Recipe::Select::Kind::assignment && recipe.experts.count > 0)
      list.require(tokens % recipe.experts.count == 0, "select.kind",
                   "Balanced assignment gives every expert the same number of tokens: batch * context (" +
                       std::to_string(tokens) + ") must be a multiple of the number of experts.");
    if (recipe.capacity.tokenGroups > 1)
      list.require(tokens % recipe.capacity.tokenGroups == 0, "capacity.token_groups",
                   "The tokens of a batch (" + std::to_string(tokens) + ") must split evenly into the token groups.");
  }
}

void checkFreeze(List& list, const RunConfig& config) {
  const auto& layers = config.model.layers;
  list.require(config.train.freeze != TrainConfig::Freeze::allButRouter ||
                   std::ranges::any_of(layers,
                                       [](const LayerConfig& layer) {
                                         return layer.hasExperts &&
                                                layer.recipe.logits.kind == Recipe::Logits::Kind::linear;
                                       }),
               "train.freeze", "This model has no router, so nothing would be left to learn.");
  for (const ExpertPlace& place : config.train.frozenExperts) {
    const bool known = place.layer >= 0 && place.layer < static_cast<int>(layers.size()) && place.expert >= 0 &&
                       layers[static_cast<std::size_t>(place.layer)].hasExperts &&
                       place.expert < layers[static_cast<std::size_t>(place.layer)].recipe.experts.count;
    list.require(known, "train.frozen_experts",
                 "This model has no expert " + textOf(place) + " (layer:expert) to freeze.");
  }
}

/// What the detector keeps, sums at every step and saves with every checkpoint.
void checkAlertWindow(List& list, const RunConfig& config) {
  constexpr std::int64_t kMostLoads = std::int64_t{1} << 26;  // 256 MiB of them
  const std::int64_t window = config.alerts.window;
  std::int64_t experts = 0;
  for (const LayerConfig& layer : config.model.layers)
    if (layer.hasExperts) experts += layer.recipe.experts.count;
  list.require(window * experts <= kMostLoads, "alerts.window",
               "The alert's window keeps a load a step for each of the " + countText(experts) + " experts: at most " +
                   countText(kMostLoads / std::max<std::int64_t>(1, experts)) + " steps of so many.");
}

}  // namespace

std::string textOf(const ExpertPlace& place) {
  return std::to_string(place.layer) + ":" + std::to_string(place.expert);
}

std::vector<Problem> problems(const RunConfig& config) {
  List list{problems(config.model, config.train.routerLearns())};
  for (const Problem& problem : runRows().outOfRange(config)) list.require(false, problem.path, problem.sentence);
  checkFreeze(list, config);
  list.require(!config.data.source.empty(), "data.source",
               "Training needs a text: a file, a folder, or builtin:domains.");
  checkBatch(list, config);
  list.require(config.alerts.clears >= config.alerts.threshold, "alerts.clears",
               "An alert clears at or above the threshold that raised it.");
  checkAlertWindow(list, config);
  const std::string backend = backendProblem(config.backend);
  list.require(backend.empty(), "backend", backend + '.');
  const std::string type = config.computeType ? computeTypeProblem(config.backend, *config.computeType) : std::string();
  list.require(type.empty(), "dtype", type + '.');
  return std::move(list.problems);
}

}  // namespace moe
