#include "core/model/moe_layer.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/backend/backend.h"
#include "core/backend/host_mirror.h"

namespace moe {

namespace {

template <class Scalar>
void keepWhereAtLeast(const TensorView& uniform, double rate) {
  for (Scalar& value : uniform.span<Scalar>()) value = static_cast<Scalar>(static_cast<double>(value) >= rate);
}

double elementAt(const TensorView& view, std::int64_t i) {
  return view.dtype == DType::f64 ? view.as<double>()[i] : static_cast<double>(view.as<float>()[i]);
}

void setElement(const TensorView& view, std::int64_t i, double value) {
  if (view.dtype == DType::f64)
    view.as<double>()[i] = value;
  else
    view.as<float>()[i] = static_cast<float>(value);
}

}  // namespace

void fillKeepHidden(const TensorView& out, double rate, std::uint64_t seed, std::int64_t step, std::uint32_t layer,
                    std::uint32_t firstToken) {
  const RandomKey key{
      .seed = seed, .stream = RandomStream::expertDropout, .step = static_cast<std::uint64_t>(step), .layer = layer};
  fillUniform(out, key, 0, 1, firstToken);
  if (out.dtype == DType::f64)
    keepWhereAtLeast<double>(out, rate);
  else
    keepWhereAtLeast<float>(out, rate);
}

MoeLayer::MoeLayer(Backend& backend, const Recipe& recipe, std::int64_t width) : backend_(backend), width_(width) {
  reconfigure(recipe);
}

void MoeLayer::reconfigure(const Recipe& recipe) {
  recipe_ = recipe;
  spec_ = expertsSpec(recipe, width_);
  if (recipe.combine.shared) sharedSpec_ = moe::sharedSpec(recipe, width_);
  if (recipe.combine.denseResidual) denseSpec_ = denseResidualSpec(recipe, width_);
}

std::int64_t MoeLayer::widestHidden() const { return *std::max_element(spec_.hidden.begin(), spec_.hidden.end()); }

std::int64_t MoeLayer::mostAssignments() const {
  // A token's choices bound them, so that shifting loads take the same memory; where that bound would be E a token
  // (top_p, expert choice) there is room for what is asked, if the host knows that.
  const auto kind = recipe_.select.kind;
  const bool varies = kind == Recipe::Select::Kind::topP || kind == Recipe::Select::Kind::expertChoice;
  if (varies && !routing_.dispatch.device) return routing_.dispatch.assignments();
  return routing_.tokens * recipe_.slotsPerToken();
}

TensorView MoeLayer::savedFor(const ExpertsSpec& spec, std::int64_t assignments, const MoeInput& input,
                              Activations& memory) const {
  if (input.routing.phase == Phase::generation) return {};  // which has no backward
  return memory.take({backend_.expertsSavedElements(spec, assignments)}, input.x.dtype);
}

void MoeLayer::forward(const TensorView& y, const MoeInput& input, const MoeWeights& weights, Activations& memory) {
  RoutingInput routing = input.routing;
  routing.x = input.x;
  routing.weights = weights.router;
  backend_.route(routing_, recipe_, routing);
  forwardAgain(y, input, weights, memory);
}

void MoeLayer::forwardAgain(const TensorView& y, const MoeInput& input, const MoeWeights& weights,
                            Activations& memory) {
  spec_.dropout = input.keepHidden.empty() ? 0 : recipe_.combine.expertDropout;
  saved_ = savedFor(spec_, mostAssignments(), input, memory);
  backend_.experts(y, saved_, input.x, routing_.dispatch, spec_, weights.experts, input.keepHidden, false);
  if (recipe_.combine.shared) forwardShared(y, input, weights, memory);
  if (recipe_.combine.denseResidual) forwardDense(y, input, weights, memory);
}

void MoeLayer::backward(const MoeWeights& gradients, const TensorView& dx, const TensorView& dPostAttention,
                        const TensorView& dy, const MoeInput& input, const MoeWeights& weights, Activations& memory) {
  RoutingInput routing = input.routing;
  routing.x = input.x;
  routing.weights = weights.router;
  growTo(backend_, dAssignment_, routing_.tokens * recipe_.slotsPerToken());
  backend_.expertsBackward(dx, gradients.experts, dAssignment_, dy, input.x, saved_, routing_.dispatch, spec_,
                           weights.experts, input.keepHidden, input.gradients);
  if (input.watch != BalancerWatch::off) watchBalancer(weights.router, input, routing);
  backend_.routeBackward(gradients.router, dx, routing_, recipe_, routing, dAssignment_);
  if (recipe_.combine.shared) backwardShared(gradients, dx, dy, input, weights, memory);
  if (recipe_.combine.denseResidual) backwardDense(gradients, dPostAttention, dy, input, weights, memory);
}

void MoeLayer::forwardShared(const TensorView& y, const MoeInput& input, const MoeWeights& weights,
                             Activations& memory) {
  const std::int64_t T = input.x.shape[0];
  const std::int32_t count = recipe_.combine.shared->count;
  const DType dtype = input.x.dtype;
  dispatchEveryToken(sharedDispatch_, T, count);
  if (recipe_.combine.shared->tokenGate) {
    gate_ = memory.take({T, 1}, dtype);
    backend_.linear(gate_, input.x, weights.tokenGate, {}, false);
    const HostMirror gate(backend_, gate_);
    for (std::int64_t t = 0; t < T; ++t) {
      const double open = 1 / (1 + std::exp(-elementAt(gate.view(), t)));
      setElement(gate.view(), t, open);
      for (std::int32_t e = 0; e < count; ++e) sharedDispatch_.weight[static_cast<std::size_t>(e * T + t)] = open;
    }
    gate.write();
  }
  sharedSaved_ = savedFor(sharedSpec_, sharedDispatch_.assignments(), input, memory);
  backend_.experts(y, sharedSaved_, input.x, sharedDispatch_, sharedSpec_, weights.shared, {}, true);
}

void MoeLayer::backwardShared(const MoeWeights& gradients, const TensorView& dx, const TensorView& dy,
                              const MoeInput& input, const MoeWeights& weights, Activations& memory) {
  const std::int64_t T = input.x.shape[0];
  const bool gated = recipe_.combine.shared->tokenGate;
  if (gated) growTo(backend_, dShared_, sharedDispatch_.assignments());
  backend_.expertsBackward(dx, gradients.shared, gated ? dShared_.view() : TensorView{}, dy, input.x, sharedSaved_,
                           sharedDispatch_, sharedSpec_, weights.shared, {}, input.gradients);
  if (!gated) return;
  const HostCopy slopes = backend_.read(dShared_);
  const TensorView dGate = memory.take({T, 1}, input.x.dtype);
  const HostMirror gate(backend_, gate_), slope(backend_, dGate, HostMirror::Start::zeros);
  for (std::int64_t t = 0; t < T; ++t) {
    double sum = 0;
    for (std::int32_t e = 0; e < recipe_.combine.shared->count; ++e)
      sum += slopes.span<double>()[static_cast<std::size_t>(e * T + t)];
    const double open = elementAt(gate.view(), t);
    setElement(slope.view(), t, sum * open * (1 - open));
  }
  slope.write();
  backend_.linearBackward(dx, gradients.tokenGate, {}, dGate, input.x, weights.tokenGate, true, input.gradients);
}

void MoeLayer::forwardDense(const TensorView& y, const MoeInput& input, const MoeWeights& weights,
                            Activations& memory) {
  const TensorView& u = input.postAttention;
  const std::int64_t T = u.shape[0];
  denseInput_ = u;
  if (!weights.denseNorm.empty()) {
    denseInput_ = memory.take(u.shape, u.dtype);
    denseStatistics_ = memory.take({T, 2}, u.dtype);
    backend_.norm(denseInput_, denseStatistics_, u, weights.denseNorm, {}, NormKind::rms,
                  recipe_.block.normEpsilon.value_or(Recipe::Block::kStandardNormEpsilon));
  }
  dispatchEveryToken(denseDispatch_, T, 1);
  denseSaved_ = savedFor(denseSpec_, T, input, memory);
  backend_.experts(y, denseSaved_, denseInput_, denseDispatch_, denseSpec_, weights.denseResidual, {}, true);
}

void MoeLayer::backwardDense(const MoeWeights& gradients, const TensorView& dPostAttention, const TensorView& dy,
                             const MoeInput& input, const MoeWeights& weights, Activations& memory) {
  const TensorView& u = input.postAttention;
  if (weights.denseNorm.empty()) {
    backend_.expertsBackward(dPostAttention, gradients.denseResidual, {}, dy, u, denseSaved_, denseDispatch_,
                             denseSpec_, weights.denseResidual, {}, input.gradients);
    return;
  }
  const TensorView dNormed = memory.take(u.shape, u.dtype);
  backend_.fill(dNormed, 0);
  backend_.expertsBackward(dNormed, gradients.denseResidual, {}, dy, denseInput_, denseSaved_, denseDispatch_,
                           denseSpec_, weights.denseResidual, {}, input.gradients);
  backend_.normBackward(dPostAttention, gradients.denseNorm, {}, dNormed, u, denseStatistics_, weights.denseNorm,
                        NormKind::rms);
}

}  // namespace moe
