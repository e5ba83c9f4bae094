#include "core/router/perturb.h"

#include <algorithm>
#include <cmath>

#include "core/config/table.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"
#include "core/router/schedule.h"
#include "core/router/tensor_room.h"

namespace moe {

template <class S>
void jitterInput(Routing& routing, const RoutingInput& input) {
  const S *x = input.x.as<S>(), *factor = input.draws.inputJitter.as<S>();
  S* out = routing.routerInput.as<S>();
  const std::int64_t n = input.x.elements();
  for (std::int64_t i = 0; i < n; ++i) out[i] = x[i] * factor[i];
}

template <class S>
void perturbLogits(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  using Noise = Recipe::Perturb::Noise;
  if (input.draws.noise.empty() || recipe.perturb.noise == Noise::none) {
    release(routing.noiseDeviation);
    release(routing.noisyLogits);
    return;
  }
  const Shape shape{routing.tokens, routing.experts};
  ensure(routing.noiseDeviation, shape, routing.dtype);
  ensure(routing.noisyLogits, shape, routing.dtype);
  const std::span<S> deviation = routing.noiseDeviation.span<S>(), noisy = routing.noisyLogits.span<S>();
  const double factor = annealFactor(recipe.perturb, input.step, input.totalSteps);
  if (recipe.perturb.noise == Noise::gaussian) {
    std::fill(deviation.begin(), deviation.end(), static_cast<S>(recipe.perturb.sigma * factor));
  } else {
    const S* a = routing.noiseLogits.as<S>();
    const S scale = static_cast<S>(factor), epsilon = static_cast<S>(recipe.perturb.noiseEpsilon);
    // softplus without overflow: max(a, 0) + log(1 + exp(-|a|))
    for (std::size_t i = 0; i < deviation.size(); ++i)
      deviation[i] = scale * (std::max(a[i], S(0)) + std::log1p(std::exp(-std::abs(a[i]))) + epsilon);
  }
  const S *z = routing.logits.as<S>(), *n = input.draws.noise.as<S>();
  for (std::size_t i = 0; i < noisy.size(); ++i) noisy[i] = z[i] + deviation[i] * n[i];
}

template <class S>
void perturbLogitsBackward(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  RoutingGradients& d = routing.gradients;
  if (!d.noisyLogits.empty()) {
    const S *dNoisy = d.noisyLogits.as<S>(), *n = input.draws.noise.as<S>();
    S *dz = d.logits.as<S>(), *dDeviation = d.deviation.as<S>();
    const std::int64_t total = d.logits.elements();
    for (std::int64_t i = 0; i < total; ++i) {
      dz[i] += dNoisy[i];
      dDeviation[i] += dNoisy[i] * n[i];
    }
  }
  if (d.noiseLogits.empty()) return;
  const S factor = static_cast<S>(annealFactor(recipe.perturb, input.step, input.totalSteps));
  const S *dDeviation = d.deviation.as<S>(), *a = routing.noiseLogits.as<S>();
  S* dA = d.noiseLogits.as<S>();
  const std::int64_t total = d.noiseLogits.elements();
  for (std::int64_t i = 0; i < total; ++i) dA[i] = dDeviation[i] * factor / (1 + std::exp(-a[i]));
}

template void jitterInput<float>(Routing&, const RoutingInput&);
template void jitterInput<double>(Routing&, const RoutingInput&);
template void perturbLogits<float>(Routing&, const Recipe&, const RoutingInput&);
template void perturbLogits<double>(Routing&, const Recipe&, const RoutingInput&);
template void perturbLogitsBackward<float>(Routing&, const Recipe&, const RoutingInput&);
template void perturbLogitsBackward<double>(Routing&, const Recipe&, const RoutingInput&);

const SettingTable<Recipe>& perturbRows() {
  using namespace rows;
  static const SettingTable<Recipe> table = SettingTable<Recipe>{
      "perturb",
      "Perturb",
      "Randomness in training that makes the router try other experts; off when evaluating and generating.",
      {choice<&Recipe::perturb, &Recipe::Perturb::noise>(
           {.path = "perturb.noise.kind", .label = "Noise", .tooltip = "Noise on the logits.", .changesLive = true},
           Choices<Recipe::Perturb::Noise>{
               {Recipe::Perturb::Noise::none, {"none", "None", "z′ = z", "The logits stay as they are."}},
               {Recipe::Perturb::Noise::gaussian,
                {"gaussian", "Gaussian", "z′ = z + σ n", "Adds normal noise of one fixed size to every logit."}},
               {Recipe::Perturb::Noise::learned,
                {"learned", "Learned", "z′ = z + n (softplus(W_noise x) + ε)",
                 "Adds normal noise whose size the router learns for each token and expert."}}}),
       value<&Recipe::perturb, &Recipe::Perturb::sigma>({.path = "perturb.noise.sigma",
                                                         .label = "σ",
                                                         .maximum = 1000,
                                                         .step = 0.1,
                                                         .formula = "z′ = z + σ n",
                                                         .tooltip = "Standard deviation of the Gaussian noise.",
                                                         .changesLive = true})
           .when([](const Recipe& recipe) { return recipe.perturb.noise == Recipe::Perturb::Noise::gaussian; }),
       value<&Recipe::perturb, &Recipe::Perturb::noiseEpsilon>({.path = "perturb.noise.epsilon",
                                                                .label = "ε",
                                                                .maximum = 1000,
                                                                .step = 0.001,
                                                                .formula = "softplus(W_noise x) + ε",
                                                                .tooltip = "Least deviation of the learned noise."})
           .when([](const Recipe& recipe) { return recipe.perturb.noise == Recipe::Perturb::Noise::learned; }),
       choice<&Recipe::perturb, &Recipe::Perturb::noiseAppliesTo>(
           {.path = "perturb.noise.applies_to",
            .label = "Noise reaches",
            .tooltip = "What the noisy logits are used for."},
           Choices<Recipe::Perturb::AppliesTo>{
               {Recipe::Perturb::AppliesTo::both,
                {"both", "Selection and weights", "s = score(z′)",
                 "Selection, weights and balance terms all see the noise."}},
               {Recipe::Perturb::AppliesTo::selection,
                {"selection", "Selection only", "r from z′, s from z",
                 "Noise only changes which experts are chosen; weights and balance terms do not see it."}}})
           .when([](const Recipe& recipe) { return recipe.perturb.noise != Recipe::Perturb::Noise::none; }),
       value<&Recipe::perturb, &Recipe::Perturb::inputJitter>(
           {.path = "perturb.input_jitter",
            .label = "Input jitter",
            .maximum = 0.999,
            .step = 0.01,
            .formula = "x · u, u ~ U(1−ε, 1+ε)",
            .tooltip = "Multiplies the router's own copy of its input by random factors near 1; experts see "
                       "the input as it is.",
            .changesLive = true}),
       choice<&Recipe::perturb, &Recipe::Perturb::anneal>(
           {.path = "perturb.anneal.kind", .label = "Anneal", .tooltip = "How jitter and noise fade over training."},
           Choices<Recipe::Perturb::Anneal>{
               {Recipe::Perturb::Anneal::none, {"none", "Constant", "factor 1", "Jitter and noise keep their size."}},
               {Recipe::Perturb::Anneal::linear,
                {"linear", "Linear", "max(0, 1 − t/N)",
                 "Jitter and noise fade to zero in a straight line over N steps."}},
               {Recipe::Perturb::Anneal::cosine,
                {"cosine", "Cosine", "(1 + cos(π t/N)) / 2",
                 "Jitter and noise fade to zero along half a cosine over N steps."}}}),
       value<&Recipe::perturb, &Recipe::Perturb::annealFraction>(
           {.path = "perturb.anneal.fraction",
            .label = "Anneal over",
            .maximum = 1,
            .step = 0.05,
            .unit = "of training",
            .formula = "N = fraction · total steps",
            .tooltip = "Share of training after which jitter and noise are gone."})
           .when([](const Recipe& recipe) { return recipe.perturb.anneal != Recipe::Perturb::Anneal::none; }),
       value<&Recipe::perturb, &Recipe::Perturb::wholeExpertDropout>(
           {.path = "perturb.whole_expert_dropout",
            .label = "Whole-expert dropout",
            .maximum = 0.999,
            .step = 0.05,
            .formula = "z = −∞ with probability q",
            .tooltip = "Each step hides every expert with this probability, so that no token can rely on one expert.",
            .changesLive = true})},
      {}}.withDefaultsOf();
  return table;
}

}  // namespace moe
