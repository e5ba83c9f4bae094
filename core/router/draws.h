#pragma once
#include <cstdint>

#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {

/// Where the draws of one layer and batch stand in the counter space.
struct DrawKey {
  std::uint64_t seed = 0;
  std::int64_t step = 0, totalSteps = 1;
  std::uint32_t layer = 0;
  std::uint32_t firstToken = 0;  // global index of the batch's first token
};

/// Memory of one layer's draws, kept between steps.
struct DrawBuffers {
  Tensor inputJitter, noise, keepExpert, randomSecond, forceToken, forceExpert;
};

/// Fills what the recipe needs in this phase and step, and returns the views. The jitter is annealed here (it is the
/// factor itself), noise by its deviation. `dtype`: f32 or f64. Evaluation and generation draw nothing.
RoutingDraws fillDraws(DrawBuffers& buffers, const Recipe& recipe, const DrawKey& key, Phase phase, std::int64_t tokens,
                       std::int64_t width, DType dtype);

}  // namespace moe
