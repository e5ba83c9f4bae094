#include "core/router/perturb.h"

#include <algorithm>
#include <cmath>

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

}  // namespace moe
