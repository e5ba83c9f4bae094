// Backward of a golden vector's case, objective by objective.
#include "core/backend/backend.h"
#include "core/backend/host_mirror.h"
#include "core/golden/golden_run.h"
#include "core/tensor/scalar.h"

namespace moe {

namespace {

/// Adds `from` to columns [begin, ...) of each of the rows of `to`.
void addColumns(Backend& backend, const TensorView& to, const TensorView& from, std::int64_t rows, std::int64_t begin) {
  if (to.empty()) return;
  const std::int64_t wide = to.elements() / rows, narrow = from.elements() / rows;
  const HostMirror sum(backend, to), part(backend, from);
  withScalar(to.dtype, [&]<class S>() {
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t i = 0; i < narrow; ++i) sum.as<S>()[row * wide + begin + i] += part.as<S>()[row * narrow + i];
  });
  sum.write();
}

}  // namespace

Tensor& GoldenRun::gradientOf(const std::string& role) {
  const auto found = gradients_.find(role);
  return found != gradients_.end() ? found->second : gradients_[role] = zeros(tensor(role).shape);
}

MoeWeights GoldenRun::gradientWeights() {
  if (file_.kind != GoldenVector::Kind::layer) {
    MoeWeights weights;
    const auto part = [&](const char* role) { return tensor(role).empty() ? TensorView{} : gradientOf(role).view(); };
    weights.router = {part("logits.weight"), part("logits.bias"), part("perturb.noise.weight")};
    return weights;
  }
  return bindMoeWeights(recipe(), sizes_['D'], [&](std::string_view segment) -> TensorView {
    const auto own = bankGradients_.find(std::string(segment));
    return own != bankGradients_.end() ? own->second.view() : findSegment(gradients_, segment);
  });
}

const GoldenRun::Gradients& GoldenRun::gradients(const GoldenObjective& objective) {
  forward();
  const std::string key = std::to_string(objective.output) + "/" + std::to_string(objective.balance) + "/" +
                          (objective.headLoss ? std::to_string(*objective.headLoss) : "") + "/" +
                          std::to_string(objective.allHeadLosses);
  const auto found = known_.find(key);
  if (found != known_.end()) return found->second;
  for (const auto& [role, value] : tensors_)
    if (isDifferentiable(role)) backend_.fill(gradientOf(role), 0);
  for (const auto& [segment, gradient] : bankGradients_) backend_.fill(gradient, 0);
  if (layer_)
    backwardLayer(objective);
  else
    backwardWeights(objective);
  if (head_) backwardHead(objective);
  if (!bankGradients_.empty()) foldIntoDenseSource();
  Gradients& out = known_[key];
  for (const auto& [role, gradient] : gradients_) out[role] = numbers(gradient);
  return out;
}

void GoldenRun::addLogitsGradient(Routing& routing) {
  if (tensor("logits").empty()) return;
  backend_.read(routing);
  const Tensor own = zeros(tensor("logits").shape);
  backend_.copy(own, routing.gradients.logits);
  backend_.add(gradientOf("logits"), own);
}

void GoldenRun::backwardLayer(const GoldenObjective& objective) {
  const ActivationsScope scope(activations_);
  const TensorView u = tensor("block.post_attention"), x = tensor("x");
  Tensor dy = zeros(output_.shape());
  if (objective.output) backend_.copy(dy, tensor("grad_output"));
  MoeInput input = layerInput();
  input.routing.balanceGradient = objective.balance;
  const TensorView dx = gradientOf("x");
  if (u.empty()) {
    // Without a block around it a dense residual reads x itself.
    layer_->backward(gradientWeights(), dx, dx, dy, input, weights_, activations_);
    addLogitsGradient(layer_->routing());
    return;
  }
  const TensorView du = gradientOf("block.post_attention");
  backend_.copy(du, dy);
  Tensor dNormed = zeros(x.shape);
  layer_->backward(gradientWeights(), dNormed, du, dy, input, weights_, activations_);
  addLogitsGradient(layer_->routing());
  const bool before = recipe().block.moeReads == Recipe::Block::MoeReads::preAttention;
  backend_.normBackward(before ? dx : du, gradientOf("block.moe_norm.weight"), {}, dNormed, before ? x : u,
                        normStatistics_, tensor("block.moe_norm.weight"), NormKind::rms);
  backend_.synchronize();
}

void GoldenRun::backwardWeights(const GoldenObjective& objective) {
  const MoeWeights dWeights = gradientWeights();
  const TensorView x = tensor("x"), dx = x.empty() ? TensorView{} : gradientOf("x").view();
  RoutingInput input = routerInput();
  if (objective.output) {
    // The weights before capacity: routed once more without what drops assignments, of which the weights know nothing.
    Recipe admitting = recipe();
    if (admitting.select.kind != Recipe::Select::Kind::expertChoice) admitting.capacity = {};
    admitting.select.randomSecond.reset();
    admitting.balance.clear();
    Routing routing;
    input.balanceGradient = kNoBalanceTerms;
    backend_.route(routing, admitting, input);
    backend_.read(routing);
    const std::vector<double> dWeight = numbers(tensor("grad_weight"));
    const std::int64_t assignments = routing.dispatch.assignments();
    const Tensor slopes = hostTensor({assignments}, DType::f64);
    for (std::int64_t a = 0; a < assignments; ++a) {
      const auto i = static_cast<std::size_t>(a);
      slopes.as<double>()[a] =
          dWeight[static_cast<std::size_t>(routing.dispatch.token[i] * routing.slots + routing.dispatch.slot[i])];
    }
    const Tensor dAssignment = backend_.allocate({assignments}, DType::f64);
    backend_.copy(dAssignment, slopes);
    backend_.routeBackward(dWeights.router, dx, routing, admitting, input, dAssignment);
    addLogitsGradient(routing);
  }
  if (objective.balance != kNoBalanceTerms && !recipe().balance.empty()) {
    input.balanceGradient = objective.balance;
    backend_.routeBackward(dWeights.router, dx, routing_, recipe(), input, {});
    addLogitsGradient(routing_);
  }
}

void GoldenRun::backwardHead(const GoldenObjective& objective) {
  std::vector<double> coefficients;
  const auto& losses = recipe().head.losses;
  for (std::size_t i = 0; i < losses.size(); ++i)
    coefficients.push_back(objective.allHeadLosses ? losses[i].coefficient : objective.headLoss == i ? 1.0 : 0.0);
  RoutingInput input = routerInput();
  input.balanceGradient = kNoBalanceTerms;
  const TensorView u = tensor("block.post_attention"), x = tensor("x");
  if (u.empty()) {
    head_->backward(gradientWeights(), gradientOf("x"), target(), coefficients, x, input, weights_);
    return;
  }
  Tensor dNormed = zeros(x.shape);
  head_->backward(gradientWeights(), dNormed, target(), coefficients, moeInput(), input, weights_);
  const bool before = recipe().block.moeReads == Recipe::Block::MoeReads::preAttention;
  backend_.normBackward(gradientOf(before ? "x" : "block.post_attention"), gradientOf("block.moe_norm.weight"), {},
                        dNormed, before ? x : u, normStatistics_, tensor("block.moe_norm.weight"), NormKind::rms);
  backend_.synchronize();
}

void GoldenRun::foldIntoDenseSource() {
  const ExpertsSpec spec = expertsSpec(recipe(), sizes_['D']);
  const ExpertsWeights bank = gradientWeights().experts, dense = denseSource(true);
  for (std::int64_t e = 0; e < spec.experts(); ++e) {
    const ExpertsWeights expert = oneExpert(spec, bank, e);
    const std::int64_t begin = recipe().experts.init == Recipe::Experts::Init::denseSlice ? spec.hiddenBegin(e) : 0;
    addColumns(backend_, dense.gate, expert.gate, 1, begin * spec.width);
    addColumns(backend_, dense.up, expert.up, 1, begin * spec.width);
    addColumns(backend_, dense.down, expert.down, spec.outputWidth, begin);
  }
}

}  // namespace moe
