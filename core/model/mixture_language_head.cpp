#include "core/model/mixture_language_head.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "core/backend/backend.h"
#include "core/backend/host_mirror.h"
#include "core/base/index.h"
#include "core/base/log_sum_exp.h"
#include "core/telemetry/points.h"
#include "core/tensor/scalar.h"

namespace moe {
namespace {

using Form = Recipe::Head::Form;

/// Outputs that stand in memory at once: enough rows for a fast product, few enough for the cache.
constexpr std::int64_t kChunkElements = std::int64_t{1} << 20;
constexpr std::int64_t kLeastChunk = 16;  // tokens

}  // namespace

MixtureLanguageHead::MixtureLanguageHead(Backend& backend, const ModelConfig& config, const Parameters& parameters)
    : backend_(backend) {
  reconfigure(*headRecipe(config));
  spec_ = expertsSpec(recipe_, config.width);
  linear_ = spec_.kind == ExpertKind::linear;
  experts_ = spec_.experts();
  vocabulary_ = spec_.outputWidth;
  const auto of = [&](auto part) {
    return bindMoeWeights(recipe_, config.width,
                          [&](std::string_view name) { return part(kHeadPrefix + std::string(name)); });
  };
  weights_ = of([&](const std::string& name) { return parameters.value(name); });
  gradients_ = of([&](const std::string& name) { return parameters.gradient(name); });
}

void MixtureLanguageHead::reconfigure(const Recipe& recipe) {
  recipe_ = recipe;
  assert(recipe_.select.kind == Recipe::Select::Kind::all);
}

double MixtureLanguageHead::coefficient(Form form) const {
  double sum = 0;
  for (const Recipe::Head::Loss& loss : recipe_.head.losses)
    if (loss.form == form) sum += loss.coefficient;
  return sum;
}

bool MixtureLanguageHead::predictsByBlend() const {
  return coefficient(Form::cooperative) > 0 && coefficient(Form::likelihood) == 0 &&
         coefficient(Form::competitive) == 0;
}

void MixtureLanguageHead::route(const TensorView& x, const BlockPass& pass) {
  x_ = x;
  fillRoutingInput(routingInput_, draws_, recipe_, pass, kHeadLayer, x.shape, x.dtype);
  routingInput_.x = x;
  routingInput_.weights = weights_.router;
  backend_.route(routing_, recipe_, routingInput_);
  backend_.read(routing_);
  shares_.assign(at(x.shape[0] * experts_), 0.0);
  dShares_.assign(shares_.size(), 0.0);
  const Dispatch& dispatch = routing_.dispatch;
  for (std::int64_t e = 0; e < experts_; ++e)
    for (std::int64_t a = dispatch.expertBegin[at(e)]; a < dispatch.admittedEnd[at(e)]; ++a)
      shares_[at(dispatch.token[at(a)] * experts_ + e)] = dispatch.weight[at(a)];
}

std::int64_t MixtureLanguageHead::chunkTokens(std::int64_t experts, std::int64_t vocabulary) {
  return std::clamp(kChunkElements / (experts * vocabulary), kLeastChunk, kChunkElements);
}

MixtureLanguageHead::Chunk MixtureLanguageHead::computeOutputs(std::int64_t begin, std::int64_t end, bool blended,
                                                               Activations& memory) {
  const std::int64_t C = end - begin, D = x_.shape[1];
  const TensorView x = x_.rows(begin, end);
  Chunk chunk{begin, end, memory.take({C * experts_, vocabulary_}, x.dtype), memory.take({C * experts_}, x.dtype),
              {},    {}};
  if (blended) {
    chunk.blend = memory.take({C, vocabulary_}, x.dtype);
    chunk.blendCosts = memory.take({C}, x.dtype);
  }
  if (linear_) {
    const TensorView& bias = weights_.experts.downBias;
    backend_.linear(chunk.outputs.reshaped({C, experts_ * vocabulary_}), x,
                    weights_.experts.down.reshaped({experts_ * vocabulary_, D}),
                    bias.empty() ? bias : bias.reshaped({experts_ * vocabulary_}), false);
    return chunk;
  }
  dispatchEveryToken(everyToken_, C, 1);
  std::int64_t most = 0;
  for (std::int64_t e = 0; e < experts_; ++e)
    most = std::max(most, backend_.expertsSavedElements(oneExpert(spec_, e), C));
  saved_ = memory.take({experts_, most}, x.dtype);
  for (std::int64_t e = 0; e < experts_; ++e)
    backend_.experts(chunk.outputs.rows(e * C, (e + 1) * C), saved_.rows(e, e + 1), x, everyToken_, oneExpert(spec_, e),
                     oneExpert(spec_, weights_.experts, e), {}, false);
  return chunk;
}

template <class S>
void MixtureLanguageHead::blendOutputs(Chunk& chunk) {
  const std::int64_t C = chunk.tokens(), V = vocabulary_;
  const HostMirror outputs(backend_, chunk.outputs), blended(backend_, chunk.blend, HostMirror::Start::zeros);
  for (std::int64_t t = 0; t < C; ++t) {
    S* blend = blended.as<S>() + t * V;
    std::fill_n(blend, V, S{0});
    for (std::int64_t e = 0; e < experts_; ++e) {
      const S share = static_cast<S>(sharesOf(chunk.begin + t)[e]);
      const S* output = outputs.as<S>() + row(chunk, t, e) * V;
      for (std::int64_t v = 0; v < V; ++v) blend[v] += share * output[v];
    }
  }
  blended.write();
}

/// Each expert's own cross-entropy, and softmax - onehot in place of its outputs. A token without target gets token 0
/// for one: its slopes are multiplied by 0, or only serve to tell the softmax.
void MixtureLanguageHead::toSlopes(const Chunk& chunk, std::span<const std::int32_t> targets) {
  targets_.resize(at(chunk.tokens() * experts_));
  for (std::int64_t t = 0; t < chunk.tokens(); ++t)
    for (std::int64_t e = 0; e < experts_; ++e)
      targets_[at(row(chunk, t, e))] = std::max(0, targets[at(chunk.begin + t)]);
  backend_.crossEntropy(chunk.costs, chunk.outputs, targets_, 1);
}

void MixtureLanguageHead::backwardOutputs(const Chunk& chunk, const TensorView& dx) {
  const std::int64_t C = chunk.tokens(), D = x_.shape[1];
  const TensorView x = x_.rows(chunk.begin, chunk.end), dxRows = dx.rows(chunk.begin, chunk.end);
  if (linear_) {
    const auto flat = [](const TensorView& bias) { return bias.empty() ? bias : bias.reshaped({bias.elements()}); };
    const Shape matrix{experts_ * vocabulary_, D};
    backend_.linearBackward(dxRows, gradients_.experts.down.reshaped(matrix), flat(gradients_.experts.downBias),
                            chunk.outputs.reshaped({C, experts_ * vocabulary_}), x,
                            weights_.experts.down.reshaped(matrix), true);
    return;
  }
  for (std::int64_t e = 0; e < experts_; ++e)
    backend_.expertsBackward(dxRows, oneExpert(spec_, gradients_.experts, e), {},
                             chunk.outputs.rows(e * C, (e + 1) * C), x, saved_.rows(e, e + 1), everyToken_,
                             oneExpert(spec_, e), oneExpert(spec_, weights_.experts, e), {});
}

template <class S>
void MixtureLanguageHead::trainChunk(Chunk& chunk, const TensorView& losses, std::span<const std::int32_t> targets,
                                     double scale) {
  const double likelihood = coefficient(Form::likelihood), competitive = coefficient(Form::competitive);
  const double cooperative = coefficient(Form::cooperative);
  const std::int64_t V = vocabulary_, E = experts_;
  const bool byBlend = predictsByBlend();
  if (cooperative > 0) {
    blendOutputs<S>(chunk);
    backend_.crossEntropy(chunk.blendCosts, chunk.blend, targets.subspan(at(chunk.begin), at(chunk.tokens())), 1);
    const HostMirror blend(backend_, chunk.blend), outputs(backend_, chunk.outputs);
    for (std::int64_t t = 0; t < chunk.tokens(); ++t)
      for (std::int64_t e = 0; e < E; ++e) {
        const S *slope = blend.as<S>() + t * V, *output = outputs.as<S>() + row(chunk, t, e) * V;
        double sum = 0;
        for (std::int64_t v = 0; v < V; ++v) sum += static_cast<double>(slope[v]) * static_cast<double>(output[v]);
        dShares_[at((chunk.begin + t) * E + e)] += scale * cooperative * sum;
      }
  }
  toSlopes(chunk, targets);
  row_.resize(at(E));
  const HostMirror nats(backend_, chunk.costs), slopes(backend_, chunk.outputs), blends(backend_, chunk.blend);
  const HostMirror blendCosts(backend_, chunk.blendCosts);
  const HostMirror tokenLosses(backend_, losses.rows(chunk.begin, chunk.end), HostMirror::Start::zeros);
  const S* costs = nats.as<S>();
  for (std::int64_t t = 0; t < chunk.tokens(); ++t) {
    const std::int64_t token = chunk.begin + t;
    const bool masked = targets[at(token)] < 0;
    const double* share = sharesOf(token);
    for (std::int64_t e = 0; e < E; ++e)
      row_[at(e)] = std::log(share[e]) - static_cast<double>(costs[row(chunk, t, e)]);
    const double evidence = logSumExp(row_);
    double minimised = -likelihood * evidence;
    for (std::int64_t e = 0; e < E; ++e) {
      const std::int64_t r = row(chunk, t, e);
      const auto cost = static_cast<double>(costs[r]);
      minimised += competitive * share[e] * cost;
      if (scale == 0) continue;
      S* slope = slopes.as<S>() + r * V;
      // A token of weight 0 leaves nothing; else the posterior, or the share, weighs what its expert got wrong.
      const double weight = masked ? 0 : likelihood * std::exp(row_[at(e)] - evidence) + competitive * share[e];
      const auto factor = static_cast<S>(scale * weight);
      for (std::int64_t v = 0; v < V; ++v) slope[v] *= factor;
      if (masked) continue;
      dShares_[at(token * E + e)] += scale * (competitive * cost - likelihood * std::exp(-cost - evidence));
      if (cooperative == 0) continue;
      const auto part = static_cast<S>(scale * cooperative * share[e]);
      const S* blend = blends.as<S>() + t * V;
      for (std::int64_t v = 0; v < V; ++v) slope[v] += part * blend[v];
    }
    if (cooperative > 0) minimised += cooperative * static_cast<double>(blendCosts.as<S>()[t]);
    if (!masked) objective_ += minimised;
    tokenLosses.as<S>()[t] = masked ? S{0} : byBlend ? blendCosts.as<S>()[t] : static_cast<S>(-evidence);
  }
  tokenLosses.write();
  if (scale != 0) slopes.write();
}

void MixtureLanguageHead::train(const TensorView& losses, const TensorView& dx, std::span<const std::int32_t> targets,
                                double scale, Activations& memory) {
  const std::int64_t T = x_.shape[0], step = chunkTokens(experts_, vocabulary_);
  objective_ = 0;
  withScalar(x_.dtype, [&]<class S>() {
    for (std::int64_t begin = 0; begin < T; begin += step) {
      const ActivationsScope scope(memory);
      Chunk chunk = computeOutputs(begin, std::min(T, begin + step), coefficient(Form::cooperative) > 0, memory);
      trainChunk<S>(chunk, losses, targets, scale);
      if (scale != 0) backwardOutputs(chunk, dx);
    }
  });
}

template <class S>
void MixtureLanguageHead::predictChunk(Chunk& chunk, const TensorView& losses, const TensorView& logits,
                                       std::span<const std::int32_t> targets) {
  const std::int64_t V = vocabulary_, E = experts_;
  toSlopes(chunk, targets);
  row_.resize(at(E));
  const HostMirror nats(backend_, chunk.costs), slopes(backend_, chunk.outputs);
  const HostMirror tokenLosses(backend_, losses.rows(chunk.begin, chunk.end), HostMirror::Start::zeros);
  const HostMirror predicted(backend_, logits.rows(chunk.begin, chunk.end), HostMirror::Start::zeros);
  const S* costs = nats.as<S>();
  for (std::int64_t t = 0; t < chunk.tokens(); ++t) {
    const std::int64_t token = chunk.begin + t;
    const double* share = sharesOf(token);
    S* out = predicted.as<S>() + t * V;
    std::fill_n(out, V, S{0});
    for (std::int64_t e = 0; e < E; ++e) {
      const std::int64_t r = row(chunk, t, e);
      row_[at(e)] = std::log(share[e]) - static_cast<double>(costs[r]);
      const S* slope = slopes.as<S>() + r * V;
      const auto weight = static_cast<S>(share[e]);
      for (std::int64_t v = 0; v < V; ++v) out[v] += weight * slope[v];
    }
    const double evidence = logSumExp(row_);
    for (std::int64_t v = 0; v < V; ++v) out[v] = std::log(std::max(out[v], std::numeric_limits<S>::min()));
    // The slope of the target itself has lost its digits to the 1 taken off.
    out[std::max(0, targets[at(token)])] = static_cast<S>(evidence);
    tokenLosses.as<S>()[t] = targets[at(token)] < 0 ? S{0} : static_cast<S>(-evidence);
  }
  tokenLosses.write();
  predicted.write();
}

void MixtureLanguageHead::predict(const TensorView& losses, const TensorView& logits,
                                  std::span<const std::int32_t> targets, Activations& memory) {
  const std::int64_t T = x_.shape[0], step = chunkTokens(experts_, vocabulary_);
  const bool blended = predictsByBlend();
  withScalar(x_.dtype, [&]<class S>() {
    for (std::int64_t begin = 0; begin < T; begin += step) {
      const ActivationsScope scope(memory);
      Chunk chunk = computeOutputs(begin, std::min(T, begin + step), blended, memory);
      if (!blended) {
        predictChunk<S>(chunk, losses, logits, targets);
        continue;
      }
      blendOutputs<S>(chunk);
      backend_.copy(logits.rows(chunk.begin, chunk.end), chunk.blend);
      backend_.crossEntropy(losses.rows(chunk.begin, chunk.end), chunk.blend,
                            targets.subspan(at(chunk.begin), at(chunk.tokens())), 0);
    }
  });
}

void MixtureLanguageHead::backwardRouter(const TensorView& dx) {
  const Dispatch& dispatch = routing_.dispatch;
  const Tensor slopes = hostTensor({dispatch.assignments()}, DType::f64);
  for (std::int64_t e = 0; e < experts_; ++e)
    for (std::int64_t a = dispatch.expertBegin[at(e)]; a < dispatch.admittedEnd[at(e)]; ++a)
      slopes.as<double>()[a] = dShares_[at(dispatch.token[at(a)] * experts_ + e)];
  growTo(backend_, dAssignment_, dispatch.assignments());
  backend_.copy(dAssignment_.view().rows(0, dispatch.assignments()), slopes);
  backend_.routeBackward(gradients_.router, dx, routing_, recipe_, routingInput_, dAssignment_);
}

}  // namespace moe
