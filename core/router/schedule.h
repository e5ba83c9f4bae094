#pragma once
#include <cstdint>

#include "core/router/recipe.h"

namespace moe {

/// Factor on input_jitter, sigma and the learned deviation at optimiser step `step` (from 0) of `totalSteps`.
double annealFactor(const Recipe::Perturb& perturb, std::int64_t step, std::int64_t totalSteps);

/// sigma times that factor.
inline double noiseScale(const Recipe::Perturb& perturb, std::int64_t step, std::int64_t totalSteps) {
  return perturb.sigma * annealFactor(perturb, step, totalSteps);
}

/// Whether the cold start still replaces slots.
inline bool forceActive(const Recipe& recipe, std::int64_t step) {
  return recipe.select.force && step < recipe.select.force->steps;
}

}  // namespace moe
