#include <algorithm>

#include "core/train/run_config.h"

namespace moe {

RunConfig grownFromDense(RunConfig wanted, const RunConfig& dense, const std::string& checkpoint) {
  using Init = Recipe::Experts::Init;
  std::vector<LayerConfig> layers = dense.model.layers;
  const bool sameDepth = layers.size() == wanted.model.layers.size();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    LayerConfig& layer = layers[i];
    const LayerConfig& like = wanted.model.layers[sameDepth ? i : 0];
    layer.hasExperts = !sameDepth || like.hasExperts;
    layer.recipe = like.recipe;
    Recipe::Experts& experts = layer.recipe.experts;
    const DenseConfig& network = dense.model.layers.front().dense;  // one recipe for all expert layers
    if (experts.init == Init::random) experts.init = Init::denseCopy;
    experts.kind = network.kind;
    experts.activation = network.activation;
    experts.bias = network.bias;
    const int parts = experts.init == Init::denseSlice ? std::max(1, experts.count) : 1;
    experts.hidden = {std::max(1, network.hidden / parts)};
  }
  wanted.model = dense.model;
  wanted.model.layers = std::move(layers);
  wanted.data = dense.data;
  wanted.startFrom.checkpoint = checkpoint;
  return wanted;
}

}  // namespace moe
