#include "core/router/pipeline.h"

#include <algorithm>
#include <cassert>

#include "core/router/adjust.h"
#include "core/router/balance.h"
#include "core/router/build_dispatch.h"
#include "core/router/capacity.h"
#include "core/router/logits.h"
#include "core/router/perturb.h"
#include "core/router/score.h"
#include "core/router/select.h"
#include "core/router/tensor_room.h"
#include "core/router/weigh.h"
#include "core/tensor/scalar.h"

namespace moe {
namespace {

bool hasRouter(const Recipe& recipe) { return recipe.logits.kind != Recipe::Logits::Kind::none; }

template <class S>
const S* dataOrNull(const TensorView& view) {
  return view.empty() ? nullptr : view.as<S>();
}

template <class S>
WeighInput<S> weighInput(const Routing& routing, const Recipe& recipe, const std::vector<std::int32_t>& set) {
  return {set,
          dataOrNull<S>(routing.scores),
          dataOrNull<S>(routing.weighedLogits(recipe)),
          routing.tokens,
          routing.slots,
          routing.experts};
}

/// Weights after capacity: weighed anew where the set changed, else those asked, 0 where not admitted.
template <class S>
void weighFinal(Routing& routing, const Recipe& recipe) {
  S* w = routing.finalWeight.as<S>();
  if (routing.setChanged) return weigh(w, weighInput<S>(routing, recipe, routing.final), recipe.weigh);
  const S* asked = routing.askedWeight.as<S>();
  for (std::size_t i = 0; i < routing.final.size(); ++i) w[i] = routing.final[i] < 0 ? S(0) : asked[i];
}

template <class S>
void forwardFromScores(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  if (hasRouter(recipe)) adjust<S>(routing, recipe, input);
  select<S>(routing, recipe, input);
  forceExperts<S>(routing, recipe, input);
  weigh(routing.askedWeight.as<S>(), weighInput<S>(routing, recipe, routing.asked), recipe.weigh);
  askRandomSecond<S>(routing, recipe, input);
  admit<S>(routing, recipe, input);
  weighFinal<S>(routing, recipe);
  buildDispatch<S>(routing);
  countLoad(routing);
  balanceForward<S>(routing, recipe, input);
}

template <class S>
void forwardFromLogits(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  if (hasRouter(recipe)) {
    perturbLogits<S>(routing, recipe, input);
    score(routing.scores.as<S>(), routing.weighedLogits(recipe).as<S>(), dataOrNull<S>(input.draws.keepExpert),
          recipe.score, routing.tokens, routing.experts);
  }
  forwardFromScores<S>(routing, recipe, input);
}

/// Gradient of the final weights (T, slots) from that of the assignments; the dropped have none.
template <class S>
void scatterAssignments(Routing& routing, std::span<const double> dAssignment) {
  ensureZero<S>(routing.gradients.weight, {routing.tokens, routing.slots});
  if (dAssignment.empty()) return;
  const Dispatch& dispatch = routing.dispatch;
  assert(dAssignment.size() == dispatch.token.size());
  S* dw = routing.gradients.weight.as<S>();
  for (std::size_t i = 0; i < dAssignment.size(); ++i)
    dw[static_cast<std::int64_t>(dispatch.token[i]) * routing.slots + dispatch.slot[i]] =
        static_cast<S>(dAssignment[i]);
  for (std::size_t i = 0; i < routing.final.size(); ++i)
    if (routing.final[i] < 0) dw[i] = 0;
}

template <class S>
void backwardToLogits(Routing& routing, const Recipe& recipe, const RoutingInput& input,
                      std::span<const double> dAssignment) {
  RoutingGradients& d = routing.gradients;
  const Shape perExpert{routing.tokens, routing.experts};
  const bool throughNoise =
      !routing.noisyLogits.empty() && recipe.perturb.noiseAppliesTo == Recipe::Perturb::AppliesTo::both;
  ensureZero<S>(d.logits, perExpert);
  ensureZero<S>(d.scores, perExpert);
  if (throughNoise) {
    ensureZero<S>(d.noisyLogits, perExpert);
    ensureZero<S>(d.deviation, perExpert);
  } else {
    release(d.noisyLogits);
    release(d.deviation);
  }
  if (throughNoise && !routing.noiseLogits.empty())
    ensureZero<S>(d.noiseLogits, perExpert);
  else
    release(d.noiseLogits);
  S *ds = d.scores.as<S>(), *dz = (throughNoise ? d.noisyLogits : d.logits).as<S>();
  bool touched = !dAssignment.empty();
  scatterAssignments<S>(routing, dAssignment);
  if (touched && routing.setChanged) {
    weighBackward(ds, dz, d.weight.as<S>(), routing.finalWeight.as<S>(), weighInput<S>(routing, recipe, routing.final),
                  recipe.weigh);
    std::fill_n(d.weight.as<S>(), d.weight.elements(), S(0));
  }
  // What is left in d.weight, and the balance terms' share, belongs to the weights before capacity.
  const BalanceTouched balance = balanceBackward<S>(routing, recipe, input, d.weight.as<S>());
  if ((touched && !routing.setChanged) || balance.weights)
    weighBackward(ds, dz, d.weight.as<S>(), routing.askedWeight.as<S>(), weighInput<S>(routing, recipe, routing.asked),
                  recipe.weigh);
  const bool weightsReadScores =
      recipe.weigh.kind == Recipe::Weigh::Kind::score || recipe.weigh.kind == Recipe::Weigh::Kind::renormalised;
  if (balance.scores || (weightsReadScores && (touched || balance.weights)))
    scoreBackward(dz, ds, routing.scores.as<S>(), recipe.score, routing.tokens, routing.experts);
  perturbLogitsBackward<S>(routing, recipe, input);
}

}  // namespace

void prepareRouting(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  assert(input.x.empty() || input.givenLogits.empty() || input.x.dtype == input.givenLogits.dtype);
  const TensorView& sized = input.x.empty() ? input.givenLogits : input.x;
  routing.tokens = sized.shape[0];
  routing.dtype = sized.dtype;
  routing.experts = recipe.experts.count;
  routing.slots = recipe.slotsPerToken();
  const Shape perExpert{routing.tokens, routing.experts}, perSlot{routing.tokens, routing.slots};
  ensure(routing.askedWeight, perSlot, routing.dtype);
  ensure(routing.finalWeight, perSlot, routing.dtype);
  if (!hasRouter(recipe)) {
    for (Tensor* tensor : {&routing.logits, &routing.noiseLogits, &routing.noiseDeviation, &routing.noisyLogits,
                           &routing.scores, &routing.ranking, &routing.routerInput})
      release(*tensor);
    return;
  }
  ensure(routing.logits, perExpert, routing.dtype);
  ensure(routing.scores, perExpert, routing.dtype);
  if (recipe.perturb.noise == Recipe::Perturb::Noise::learned && !input.draws.noise.empty() &&
      !input.weights.noiseWeight.empty())
    ensure(routing.noiseLogits, perExpert, routing.dtype);
  else
    release(routing.noiseLogits);
  if (!input.givenLogits.empty()) {
    assert(input.givenLogits.shape == perExpert);
    withScalar(routing.dtype, [&]<class S>() {
      std::copy_n(input.givenLogits.as<S>(), input.givenLogits.elements(), routing.logits.as<S>());
    });
  }
  if (input.draws.inputJitter.empty() || input.x.empty()) {
    release(routing.routerInput);
  } else {
    ensure(routing.routerInput, input.x.shape, routing.dtype);
    withScalar(routing.dtype, [&]<class S>() { jitterInput<S>(routing, input); });
  }
}

TensorView logitsInput(const Routing& routing, const RoutingInput& input) {
  return routing.routerInput.empty() ? input.x : routing.routerInput.view();
}

void computeLogits(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  if (!hasRouter(recipe) || input.x.empty()) return;
  withScalar(routing.dtype, [&]<class S>() {
    if (input.givenLogits.empty())
      logitsForward<S>(routing.logits, logitsInput(routing, input), input.weights.weight, input.weights.bias);
    if (!routing.noiseLogits.empty()) logitsForward<S>(routing.noiseLogits, input.x, input.weights.noiseWeight, {});
  });
}

void routeFromLogits(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  withScalar(routing.dtype, [&]<class S>() { forwardFromLogits<S>(routing, recipe, input); });
}

void routeFromScores(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  withScalar(routing.dtype, [&]<class S>() {
    perturbLogits<S>(routing, recipe, input);  // clears what noise of earlier steps left
    forwardFromScores<S>(routing, recipe, input);
  });
}

void routeForward(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  prepareRouting(routing, recipe, input);
  computeLogits(routing, recipe, input);
  routeFromLogits(routing, recipe, input);
}

void routeBackwardToLogits(Routing& routing, const Recipe& recipe, const RoutingInput& input,
                           std::span<const double> dAssignment) {
  if (!hasRouter(recipe)) return;
  withScalar(routing.dtype, [&]<class S>() { backwardToLogits<S>(routing, recipe, input, dAssignment); });
}

void backwardFromLogits(const RouterWeights& dWeights, const TensorView& dx, Routing& routing,
                        const RoutingInput& input) {
  if (routing.logits.empty() || input.x.empty()) return;
  withScalar(routing.dtype, [&]<class S>() {
    if (input.givenLogits.empty())
      logitsBackward<S>(dWeights.weight, dWeights.bias, dx, routing.gradients.logits, logitsInput(routing, input),
                        input.weights.weight, routing.routerInput.empty() ? TensorView{} : input.draws.inputJitter);
    if (!routing.gradients.noiseLogits.empty())
      logitsBackward<S>(dWeights.noiseWeight, {}, dx, routing.gradients.noiseLogits, input.x, input.weights.noiseWeight,
                        {});
  });
}

void addThroughJitter(const TensorView& dx, const TensorView& dRouterInput, const TensorView& jitter) {
  withScalar(dx.dtype, [&]<class S>() {
    S* out = dx.as<S>();
    const S *d = dRouterInput.as<S>(), *factor = jitter.as<S>();
    for (std::int64_t i = 0; i < dx.elements(); ++i) out[i] += d[i] * factor[i];
  });
}

void routeBackward(const RouterWeights& dWeights, const TensorView& dx, Routing& routing, const Recipe& recipe,
                   const RoutingInput& input, std::span<const double> dAssignment) {
  routeBackwardToLogits(routing, recipe, input, dAssignment);
  backwardFromLogits(dWeights, dx, routing, input);
}

}  // namespace moe
