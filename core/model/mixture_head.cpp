#include "core/model/mixture_head.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "core/backend/backend.h"
#include "core/backend/host_mirror.h"
#include "core/base/index.h"
#include "core/base/log_sum_exp.h"
#include "core/model/activations.h"
#include "core/tensor/scalar.h"

namespace moe {

namespace {

using Form = Recipe::Head::Form;
using Density = Recipe::Head::Density;

/// The target of one token under the head's density.
class TokenTarget {
 public:
  TokenTarget(Density density, const MixtureTarget& target, std::int64_t token, std::int64_t outputs) {
    if (density == Density::categorical) {
      id_ = target.ids[at(token)];
      return;
    }
    values_.resize(at(outputs));
    for (std::int64_t o = 0; o < outputs; ++o)
      values_[at(o)] = target.values.dtype == DType::f64
                           ? target.values.as<double>()[token * outputs + o]
                           : static_cast<double>(target.values.as<float>()[token * outputs + o]);
  }
  bool masked() const { return values_.empty() && id_ < 0; }

  /// How far prediction o is off: sq(d - o), or -log softmax(o)_y. Its gradient goes to `slope` (O).
  double cost(std::span<const double> o, std::span<double> slope) const {
    double sum = 0;
    if (!values_.empty()) {
      for (std::size_t i = 0; i < o.size(); ++i) {
        const double off = o[i] - values_[i];
        sum += off * off;
        slope[i] = 2 * off;
      }
      return sum;
    }
    const double normaliser = logSumExp(o);
    for (std::size_t i = 0; i < o.size(); ++i) slope[i] = std::exp(o[i] - normaliser);
    slope[at(id_)] -= 1;
    return normaliser - o[at(id_)];
  }
  /// log likelihood = -cost times this: a unit Gaussian has sq / 2 in its exponent.
  double exponent() const { return values_.empty() ? 1.0 : 0.5; }

 private:
  std::vector<double> values_;
  std::int32_t id_ = -1;
};

struct Sizes {
  std::int64_t tokens, experts, outputs;
  Sizes(std::span<const double> shares, std::span<const double> out, std::int64_t count)
      : tokens(static_cast<std::int64_t>(shares.size()) / count),
        experts(count),
        outputs(tokens ? static_cast<std::int64_t>(out.size()) / (tokens * experts) : 0) {}
  std::size_t row(std::int64_t e, std::int64_t t) const { return at((e * tokens + t) * outputs); }
};

}  // namespace

std::vector<double> mixturePosterior(Density density, std::span<const double> shares, std::span<const double> outputs,
                                     const MixtureTarget& target, std::int64_t experts) {
  const Sizes sizes(shares, outputs, experts);
  std::vector<double> posterior(shares.size(), 0.0), slope(at(sizes.outputs)), joint(at(experts));
  for (std::int64_t t = 0; t < sizes.tokens; ++t) {
    const TokenTarget wanted(density, target, t, sizes.outputs);
    if (wanted.masked()) continue;
    for (std::int64_t e = 0; e < experts; ++e)
      joint[at(e)] = std::log(shares[at(t * experts + e)]) -
                     wanted.exponent() * wanted.cost(outputs.subspan(sizes.row(e, t), at(sizes.outputs)), slope);
    const double total = logSumExp(joint);
    for (std::int64_t e = 0; e < experts; ++e) posterior[at(t * experts + e)] = std::exp(joint[at(e)] - total);
  }
  return posterior;
}

double mixtureLoss(Form form, Density density, std::span<const double> shares, std::span<const double> outputs,
                   const MixtureTarget& target, std::int64_t experts, double scale, MixtureGradients* gradients) {
  const Sizes sizes(shares, outputs, experts);
  const std::size_t O = at(sizes.outputs), E = at(experts);
  std::int64_t counted = 0;
  for (std::int64_t t = 0; t < sizes.tokens; ++t) counted += !TokenTarget(density, target, t, sizes.outputs).masked();
  if (counted == 0) return 0;
  const double each = scale / static_cast<double>(counted);
  double total = 0;
  std::vector<double> cost(E), joint(E), slopes(E * O), blend(O), blendSlope(O);
  const auto slopeOf = [&](std::size_t e) { return std::span<double>(slopes).subspan(e * O, O); };
  for (std::int64_t t = 0; t < sizes.tokens; ++t) {
    const TokenTarget wanted(density, target, t, sizes.outputs);
    if (wanted.masked()) continue;
    const auto share = shares.subspan(at(t) * E, E);
    const auto output = [&](std::size_t e) { return outputs.subspan(sizes.row(static_cast<std::int64_t>(e), t), O); };
    std::fill(blend.begin(), blend.end(), 0.0);
    for (std::size_t e = 0; e < E; ++e) {
      cost[e] = wanted.cost(output(e), slopeOf(e));
      joint[e] = std::log(share[e]) - wanted.exponent() * cost[e];
      for (std::size_t o = 0; o < O; ++o) blend[o] += share[e] * output(e)[o];
    }
    const double evidence = logSumExp(joint);
    if (form == Form::likelihood) total -= evidence;
    if (form == Form::competitive)
      for (std::size_t e = 0; e < E; ++e) total += share[e] * cost[e];
    if (form == Form::cooperative) total += wanted.cost(blend, blendSlope);
    if (!gradients) continue;
    for (std::size_t e = 0; e < E; ++e) {
      double& dShare = gradients->shares[at(t) * E + e];
      double* dOutput = gradients->outputs.data() + sizes.row(static_cast<std::int64_t>(e), t);
      switch (form) {
        case Form::likelihood:
          dShare -= each * std::exp(-wanted.exponent() * cost[e] - evidence);
          for (std::size_t o = 0; o < O; ++o)
            dOutput[o] += each * std::exp(joint[e] - evidence) * wanted.exponent() * slopeOf(e)[o];
          break;
        case Form::competitive:
          dShare += each * cost[e];
          for (std::size_t o = 0; o < O; ++o) dOutput[o] += each * share[e] * slopeOf(e)[o];
          break;
        case Form::cooperative:
          for (std::size_t o = 0; o < O; ++o) {
            dShare += each * blendSlope[o] * output(e)[o];
            dOutput[o] += each * share[e] * blendSlope[o];
          }
          break;
      }
    }
  }
  return total / static_cast<double>(counted);
}

MixtureHead::MixtureHead(Backend& backend, const Recipe& recipe, std::int64_t width)
    : backend_(backend), recipe_(recipe), spec_(expertsSpec(recipe, width)) {
  assert(recipe.select.kind == Recipe::Select::Kind::all);
}

void MixtureHead::forward(const TensorView& x, const RoutingInput& given, const MoeWeights& weights) {
  RoutingInput input = given;
  input.x = x;
  input.weights = weights.router;
  backend_.route(routing_, recipe_, input);
  const std::int64_t T = x.shape[0], E = spec_.experts(), O = spec_.outputWidth;
  dispatchEveryToken(everyToken_, T, 1);
  std::int64_t most = 0;
  for (std::int64_t e = 0; e < E; ++e) most = std::max(most, backend_.expertsSavedElements(oneExpert(spec_, e), T));
  if (expertOutputs_.elements() != E * T * O || expertOutputs_.dtype() != x.dtype) {
    expertOutputs_ = backend_.allocate({E, T, O}, x.dtype);
    dOutputs_ = backend_.allocate({E, T, O}, x.dtype);
    saved_ = backend_.allocate({E, most}, x.dtype);
  }
  for (std::int64_t e = 0; e < E; ++e)
    backend_.experts(expertOutputs_.view().rows(e, e + 1).reshaped({T, O}), saved_.view().rows(e, e + 1), x,
                     everyToken_, oneExpert(spec_, e), oneExpert(spec_, weights.experts, e), {}, false);
  const HostCopy outputs = backend_.read(expertOutputs_);
  backend_.read(routing_);
  outputs_.resize(at(E * T * O));
  withScalar(x.dtype, [&]<class S>() {
    const auto from = outputs.span<S>();
    std::copy(from.begin(), from.end(), outputs_.begin());
  });
  shares_.assign(at(T * E), 0.0);
  const Dispatch& dispatch = routing_.dispatch;
  for (std::int64_t e = 0; e < E; ++e)
    for (std::int64_t a = dispatch.expertBegin[at(e)]; a < dispatch.admittedEnd[at(e)]; ++a)
      shares_[at(dispatch.token[at(a)] * E + e)] = dispatch.weight[at(a)];
}

std::vector<double> MixtureHead::losses(const MixtureTarget& target) const {
  std::vector<double> values;
  for (const Recipe::Head::Loss& loss : recipe_.head.losses)
    values.push_back(
        mixtureLoss(loss.form, recipe_.head.density, shares_, outputs_, target, spec_.experts(), 0, nullptr));
  return values;
}

void MixtureHead::backward(const MoeWeights& gradients, const TensorView& dx, const MixtureTarget& target,
                           std::span<const double> coefficients, const TensorView& x, const RoutingInput& given,
                           const MoeWeights& weights) {
  assert(coefficients.size() == recipe_.head.losses.size());
  RoutingInput input = given;
  input.x = x;
  input.weights = weights.router;
  const std::int64_t T = x.shape[0], E = spec_.experts(), O = spec_.outputWidth;
  gradients_.shares.assign(shares_.size(), 0.0);
  gradients_.outputs.assign(outputs_.size(), 0.0);
  for (std::size_t i = 0; i < coefficients.size(); ++i)
    if (coefficients[i] != 0)
      mixtureLoss(recipe_.head.losses[i].form, recipe_.head.density, shares_, outputs_, target, E, coefficients[i],
                  &gradients_);
  const HostMirror dOutputs(backend_, dOutputs_, HostMirror::Start::zeros);
  withScalar(x.dtype, [&]<class S>() {
    std::transform(gradients_.outputs.begin(), gradients_.outputs.end(), dOutputs.as<S>(),
                   [](double value) { return static_cast<S>(value); });
  });
  dOutputs.write();
  for (std::int64_t e = 0; e < E; ++e)
    backend_.expertsBackward(dx, oneExpert(spec_, gradients.experts, e), {},
                             dOutputs_.view().rows(e, e + 1).reshaped({T, O}), x, saved_.view().rows(e, e + 1),
                             everyToken_, oneExpert(spec_, e), oneExpert(spec_, weights.experts, e), {});
  const Dispatch& dispatch = routing_.dispatch;
  const Tensor slopes = hostTensor({dispatch.assignments()}, DType::f64);
  for (std::int64_t e = 0; e < E; ++e)
    for (std::int64_t a = dispatch.expertBegin[at(e)]; a < dispatch.admittedEnd[at(e)]; ++a)
      slopes.as<double>()[a] = gradients_.shares[at(dispatch.token[at(a)] * E + e)];
  growTo(backend_, dAssignment_, dispatch.assignments());
  backend_.copy(dAssignment_.view().rows(0, dispatch.assignments()), slopes);
  backend_.routeBackward(gradients.router, dx, routing_, recipe_, input, dAssignment_);
}

}  // namespace moe
