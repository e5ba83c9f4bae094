#include "core/experiments/removals.h"

#include <algorithm>

#include "core/experiments/train_arm.h"
#include "core/inspect/left_out.h"
#include "core/session/stored_model.h"
#include "core/train/evaluation.h"

namespace moe {
namespace {

double lossOf(Backend& backend, const Checkpoint& checkpoint, const Corpus& corpus, std::span<const LeftOut> left) {
  const StoredModel stored = loadStoredModel(backend, checkpoint);
  leaveOut(*stored.model, left);
  Batch batch;
  return heldOutLoss(*stored.model, corpus, batch, stored.config.train.batch, kValidationTokens).loss;
}

}  // namespace

void measureRemovals(ArmResult& result, Backend& backend, const Trainer& trained) {
  const std::vector<LayerConfig>& layers = trained.config().model.layers;
  const Corpus& corpus = trained.corpus();
  const auto hasShared = [](const LayerConfig& layer) {
    return layer.hasExperts && layer.recipe.combine.shared.has_value();
  };
  if (std::ranges::none_of(layers, hasShared)) return;
  const double whole = lossOf(backend, checkpointOf(trained), corpus, {});
  std::vector<double> withoutShared, withoutRouted;
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    if (!hasShared(layers[layer])) continue;
    Checkpoint oneMore = checkpointOf(trained);
    ++oneMore.config.model.layers[layer].recipe.select.k;
    const LeftOut shared{.layer = static_cast<int>(layer), .shared = true};
    withoutShared.push_back(lossOf(backend, oneMore, corpus, {&shared, 1}) - whole);
    for (int expert = 0; expert < layers[layer].recipe.experts.count; ++expert) {
      const LeftOut routed{.layer = static_cast<int>(layer), .expert = expert};
      withoutRouted.push_back(lossOf(backend, checkpointOf(trained), corpus, {&routed, 1}) - whole);
    }
  }
  result.values.emplace_back("rise_without_shared", meanOf(withoutShared));
  result.values.emplace_back("rise_without_routed", meanOf(withoutRouted));
  result.values.emplace_back("rise_without_worst_routed", std::ranges::max(withoutRouted));
}

}  // namespace moe
