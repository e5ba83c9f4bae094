#pragma once
#include "core/train/run_config.h"

namespace moe::test {

/// A preset small enough for plain loops.
inline RunConfig shrunken(const std::string& preset) {
  RunConfig config = runConfigOfPreset(preset);
  config.backend = "reference";
  config.model.width = 16;
  config.model.context = 8;
  config.train.batch = 2;
  for (LayerConfig& layer : config.model.layers) {
    layer.attention.headWidth = 4;
    layer.dense.hidden = 8;
    layer.recipe.experts.hidden = {8};
    if (layer.recipe.combine.shared) layer.recipe.combine.shared->hidden = 8;
  }
  return config;
}

}  // namespace moe::test
