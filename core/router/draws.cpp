#include "core/router/draws.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/router/schedule.h"
#include "core/router/tensor_room.h"
#include "core/tensor/philox.h"
#include "core/tensor/scalar.h"

namespace moe {
namespace {

/// Attempt `a` is row a of the stream. After many failures (a rate near 1) the k largest draws of the last one stay.
template <class S>
void drawKeptExperts(const TensorView& keep, const RandomKey& key, double rate, int atLeast) {
  constexpr std::uint32_t kAttempts = 1000;
  const std::span<S> kept = keep.span<S>();
  const auto experts = static_cast<std::uint32_t>(kept.size());
  for (std::uint32_t attempt = 0; attempt < kAttempts; ++attempt) {
    int count = 0;
    for (std::uint32_t e = 0; e < experts; ++e) {
      const bool stays = uniformAt(key, attempt, e) >= rate;
      kept[e] = static_cast<S>(stays);
      count += stays;
    }
    if (count >= atLeast) return;
  }
  std::vector<std::uint32_t> order(experts);
  std::iota(order.begin(), order.end(), 0U);
  std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    return uniformAt(key, kAttempts - 1, a) > uniformAt(key, kAttempts - 1, b);
  });
  for (std::uint32_t i = 0; i < experts; ++i) kept[order[i]] = static_cast<S>(static_cast<int>(i) < atLeast);
}

}  // namespace

RoutingDraws fillDraws(DrawBuffers& buffers, const Recipe& recipe, const DrawKey& key, Phase phase, std::int64_t tokens,
                       std::int64_t width, DType dtype) {
  RoutingDraws draws;
  if (phase != Phase::training) return draws;
  const std::int64_t experts = recipe.experts.count;
  const double factor = annealFactor(recipe.perturb, key.step, key.totalSteps);
  const auto at = [&](RandomStream stream) {
    return RandomKey{
        .seed = key.seed, .stream = stream, .step = static_cast<std::uint64_t>(key.step), .layer = key.layer};
  };
  const auto room = [&](Tensor& tensor, Shape shape) -> const TensorView& {
    ensure(tensor, shape, dtype);
    return tensor;
  };
  const bool router = recipe.logits.kind != Recipe::Logits::Kind::none;
  if (const double eps = recipe.perturb.inputJitter * factor; eps > 0 && router) {
    draws.inputJitter = room(buffers.inputJitter, {tokens, width});
    fillUniform(draws.inputJitter, at(RandomStream::inputJitter), 1 - eps, 1 + eps, key.firstToken);
  }
  if (recipe.perturb.noise != Recipe::Perturb::Noise::none && factor > 0 && router) {
    draws.noise = room(buffers.noise, {tokens, experts});
    fillNormal(draws.noise, at(RandomStream::logitNoise), 0, 1, key.firstToken);
  }
  if (recipe.perturb.wholeExpertDropout > 0 && router) {
    draws.keepExpert = room(buffers.keepExpert, {experts});
    const int atLeast = recipe.select.kind == Recipe::Select::Kind::topK ? recipe.select.k : 1;
    withScalar(dtype, [&]<class S>() {
      drawKeptExperts<S>(draws.keepExpert, at(RandomStream::wholeExpertDropout), recipe.perturb.wholeExpertDropout,
                         std::min(atLeast, recipe.experts.count));
    });
  }
  if (recipe.select.randomSecond) {
    draws.randomSecond = room(buffers.randomSecond, {tokens});
    fillUniform(draws.randomSecond, at(RandomStream::randomSecond), 0, 1, key.firstToken);
  }
  if (forceActive(recipe, key.step)) {
    draws.forceToken = room(buffers.forceToken, {tokens});
    draws.forceExpert = room(buffers.forceExpert, {tokens});
    fillUniform(draws.forceToken, at(RandomStream::forceToken), 0, 1, key.firstToken);
    fillUniform(draws.forceExpert, at(RandomStream::forceExpert), 0, 1, key.firstToken);
  }
  return draws;
}

}  // namespace moe
