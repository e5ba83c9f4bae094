#include <algorithm>

#include "core/backend/registry.h"
#include "core/telemetry/explanation_text.h"
#include "core/train/run_config.h"

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

void checkTrain(List& list, const TrainConfig& train) {
  list.require(train.steps >= 1, "train.steps", "A run has at least one step.");
  list.require(train.batch >= 1 && train.batch <= 65'536, "train.batch", "A batch has 1 to 65,536 sequences.");
  list.require(train.microBatches >= 1 && train.microBatches <= 65'536, "train.micro_batches",
               "A step has 1 to 65,536 micro-batches.");
  list.require(train.learningRate >= 0 && train.learningRate <= 10, "train.learning_rate",
               "The learning rate lies between 0 and 10.");
  list.require(train.warmup >= 0, "train.warmup", "Warm-up is a number of steps, 0 or more.");
  list.require(train.finalShare >= 0 && train.finalShare <= 1, "train.final_share",
               "The schedule ends at a share of the learning rate between 0 and 1.");
  list.require(train.beta1 >= 0 && train.beta1 < 1, "train.beta1", "beta1 is at least 0 and below 1.");
  list.require(train.beta2 >= 0 && train.beta2 < 1, "train.beta2", "beta2 is at least 0 and below 1.");
  list.require(train.epsilon > 0, "train.epsilon", "The optimizer's epsilon is above 0.");
  list.require(train.weightDecay >= 0 && train.weightDecay <= 10, "train.weight_decay",
               "Weight decay lies between 0 and 10.");
  list.require(train.clip >= 0, "train.clip",
               "The gradient norm is clipped at a number above 0; 0 switches clipping off.");
  list.require(train.validateEvery >= 0, "train.validate_every",
               "Validation is every so many steps; 0: only at the end.");
  list.require(train.checkpointEvery >= 0, "train.checkpoint_every",
               "Checkpoints are every so many steps; 0: only the first and the last.");
}

void checkData(List& list, const DataConfig& data) {
  list.require(!data.source.empty(), "data.source", "Training needs a text: a file, a folder, or builtin:domains.");
  list.require(data.heldOut > 0 && data.heldOut < 1, "data.held_out", "The held-out share lies between 0 and 1.");
  list.require(data.tokenizer != TokenizerKind::bpe || (data.vocabulary >= 257 && data.vocabulary <= 65'536),
               "data.vocabulary",
               "A byte-pair vocabulary has 257 to 65,536 entries: the 256 bytes and what is merged from them.");
}

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
  list.require(window >= 1 && window <= 100'000, "alerts.window", "The alert's window is 1 to 100,000 steps.");
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
  checkFreeze(list, config);
  checkTrain(list, config.train);
  checkData(list, config.data);
  checkBatch(list, config);
  list.require(config.alerts.threshold >= 0 && config.alerts.threshold <= 1, "alerts.threshold",
               "The threshold is a share of the fair share, 0 to 1.");
  list.require(config.alerts.clears >= config.alerts.threshold, "alerts.clears",
               "An alert clears at or above the threshold that raised it.");
  checkAlertWindow(list, config);
  list.require(config.alerts.restarts >= 0 && config.alerts.restarts <= 1000, "alerts.restart.retries",
               "A run is restarted at most 0 (never) to 1,000 times.");
  list.require(config.alerts.dropoutStep >= 0 && config.alerts.dropoutStep < 1, "alerts.restart.dropout_step",
               "Each restart adds a dropout rate of at least 0 and below 1.");
  list.require(config.threads >= 0 && config.threads <= 1024, "threads", "Threads are 0 (all cores) to 1024.");
  const std::string backend = backendProblem(config.backend);
  list.require(backend.empty(), "backend", backend + '.');
  const std::string type = config.computeType ? computeTypeProblem(config.backend, *config.computeType) : std::string();
  list.require(type.empty(), "dtype", type + '.');
  return std::move(list.problems);
}

}  // namespace moe
