#pragma once
#include "core/router/declarations.h"

namespace moe {

struct PerturbRecipe {
  double inputJitter = 0;  // eps
  enum class Noise { none, gaussian, learned } noise = Noise::none;
  double sigma = 1.0, noiseEpsilon = 0;
  enum class AppliesTo { both, selection } noiseAppliesTo = AppliesTo::both;
  enum class Anneal { none, linear, cosine } anneal = Anneal::none;
  double annealFraction = 0.1;
  double wholeExpertDropout = 0;  // q
  bool operator==(const PerturbRecipe&) const = default;
};

/// What a person can set of the stage, and what is said of it.
const SettingTable<Recipe>& perturbRows();

/// routerInput = x * jitter (T, D).
template <class S>
void jitterInput(Routing& routing, const RoutingInput& input);

/// noiseDeviation and noisyLogits from the draws. Nothing without draws.
template <class S>
void perturbLogits(Routing& routing, const Recipe& recipe, const RoutingInput& input);

/// Moves gradients.noisyLogits and .deviation on into .logits and .noiseLogits.
template <class S>
void perturbLogitsBackward(Routing& routing, const Recipe& recipe, const RoutingInput& input);

}  // namespace moe
