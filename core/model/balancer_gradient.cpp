// What the balance terms do to the router: one more backward a term through the router alone, into memory of its own.
#include <cmath>

#include "core/backend/backend.h"
#include "core/model/moe_layer.h"
#include "core/tensor/scalar.h"

namespace moe {
namespace {

void fit(Backend& backend, Tensor& tensor, const TensorView& like) {
  if (tensor.empty() != like.empty() ||
      (!like.empty() && (tensor.shape() != like.shape || tensor.dtype() != like.dtype)))
    tensor = like.empty() ? Tensor() : backend.allocate(like.shape, like.dtype);
}

/// Adds scale * values to `sums` from `at` on, and goes behind them.
void addScaled(std::vector<double>& sums, std::size_t& at, Backend& backend, const TensorView& view, double scale) {
  if (view.empty()) return;
  const HostCopy copy = backend.read(view);
  const TensorView& values = copy.view();
  const auto count = static_cast<std::size_t>(values.elements());
  if (sums.size() < at + count) sums.resize(at + count, 0);
  withScalar(values.dtype, [&]<class S>() {
    for (const S value : values.span<S>()) sums[at++] += scale * static_cast<double>(value);
  });
}

double norm(const std::vector<double>& values) {
  double squares = 0;
  for (const double value : values) squares += value * value;
  return std::sqrt(squares);
}

}  // namespace

void MoeLayer::watchBalancer(const RouterWeights& like, const MoeInput& input, const RoutingInput& routing) {
  termGradients_.resize(recipe_.balance.size());
  for (std::size_t i = 0; i < recipe_.balance.size(); ++i) {
    TermGradient& term = termGradients_[i];
    fit(backend_, term.weight, like.weight);
    fit(backend_, term.bias, like.bias);
    fit(backend_, term.noiseWeight, like.noiseWeight);
    term.scale = recipe_.balance[i].coefficient * routing.lossScale;
    const RouterWeights room{term.weight, term.bias, term.noiseWeight};
    if (input.watch == BalancerWatch::begin)
      for (const TensorView& view : {room.weight, room.bias, room.noiseWeight})
        if (!view.empty()) backend_.fill(view, 0);
    if (term.scale == 0) continue;
    RoutingInput alone = routing;
    alone.balanceGradient = static_cast<int>(i);
    backend_.routeBackward(room, {}, routing_, recipe_, alone, {});
  }
}

double gradientNorm(Backend& backend, const RouterWeights& gradients) {
  std::vector<double> all;
  std::size_t at = 0;
  for (const TensorView& view : {gradients.weight, gradients.bias, gradients.noiseWeight})
    addScaled(all, at, backend, view, 1);
  return norm(all);
}

BalancerGradient MoeLayer::balancerGradient() const {
  BalancerGradient found;
  std::vector<double> balance;
  for (std::size_t i = 0; i < termGradients_.size(); ++i) {
    const TermGradient& term = termGradients_[i];
    std::vector<double> own;
    std::size_t from = 0, ownEnd = 0;
    const bool counts = recipe_.balance[i].kind != Recipe::BalanceTerm::Kind::z;
    for (const Tensor* tensor : {&term.weight, &term.bias, &term.noiseWeight}) {
      if (tensor->empty()) continue;
      addScaled(own, ownEnd, backend_, *tensor, term.scale);
      if (counts) addScaled(balance, from, backend_, *tensor, term.scale);
    }
    found.terms.push_back(norm(own));
  }
  found.balance = norm(balance);
  return found;
}

}  // namespace moe
