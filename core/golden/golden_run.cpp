#include "core/golden/golden_run.h"

#include <algorithm>

#include "core/backend/backend.h"
#include "core/backend/host_mirror.h"
#include "core/base/error.h"
#include "core/model/experts_init.h"
#include "core/router/balance.h"
#include "core/tensor/scalar.h"

namespace moe {

namespace {

Shape shapeOf(const std::vector<std::int64_t>& extents) {
  switch (extents.size()) {
    case 0: return {1};
    case 1: return {extents[0]};
    case 2: return {extents[0], extents[1]};
    case 3: return {extents[0], extents[1], extents[2]};
    default: return {extents[0], extents[1], extents[2], extents[3]};
  }
}

/// Roles that may hold a segment of the layer.
const std::map<std::string, std::vector<std::string>, std::less<>>& rolesOfSegments() {
  static const std::map<std::string, std::vector<std::string>, std::less<>> table{
      {"router.weight", {"logits.weight"}},
      {"router.bias", {"logits.bias"}},
      {"router.noise_weight", {"perturb.noise.weight"}},
      {"experts.gate", {"experts.gate"}},
      {"experts.up", {"experts.up", "experts.gate_up"}},
      {"experts.down", {"experts.down", "experts.weight"}},
      {"experts.up_bias", {"experts.gate_up_bias"}},
      {"experts.down_bias", {"experts.down_bias", "experts.bias"}},
      {"shared.gate", {"combine.shared.gate"}},
      {"shared.up", {"combine.shared.up"}},
      {"shared.down", {"combine.shared.down"}},
      {"shared.token_gate", {"combine.shared.token_gate.weight"}},
      {"dense_residual.gate", {"combine.dense_residual.gate"}},
      {"dense_residual.up", {"combine.dense_residual.up"}},
      {"dense_residual.down", {"combine.dense_residual.down"}},
      {"dense_norm.weight", {"block.dense_norm.weight"}}};
  return table;
}

ExpertsWeights sourceOf(const std::map<std::string, Tensor>& byRole, const GoldenSizes& sizes) {
  const auto part = [&](const char* role, Shape shape) {
    const auto found = byRole.find(role);
    return found == byRole.end() ? TensorView{} : found->second.view().reshaped(shape);
  };
  ExpertsWeights dense;
  dense.gate = part("experts.init.gate", {sizes['G'], sizes['D']});
  dense.up = part("experts.init.up", {sizes['G'], sizes['D']});
  dense.down = part("experts.init.down", {sizes['O'] * sizes['G']});
  return dense;
}

}  // namespace

TensorView GoldenRun::findSegment(const std::map<std::string, Tensor>& byRole, std::string_view segment) {
  const auto roles = rolesOfSegments().find(segment);
  if (roles == rolesOfSegments().end()) return {};
  for (const std::string& role : roles->second)
    if (const auto found = byRole.find(role); found != byRole.end()) return found->second;
  return {};
}

GoldenRun::GoldenRun(Backend& backend, DType dtype, const GoldenVector& file, const GoldenCase& one)
    : backend_(backend), dtype_(dtype), file_(file), case_(one), sizes_(fitInputs(file, case_)) {
  for (const GoldenInput& input : file.inputs) {
    const Shape shape = shapeOf(input.tensor.shape);
    Tensor& host = hostInputs_[input.role] = hostTensor(shape, dtype);
    withScalar(dtype, [&]<class S>() {
      std::ranges::transform(input.tensor.data, host.as<S>(), [](double value) { return static_cast<S>(value); });
    });
    Tensor& own = tensors_[input.role] = backend.allocate(shape, dtype);
    backend.copy(own, host);
    backend.parametersChanged(own);
  }
  if (const GoldenTensor* bias = file.find("adjust.selection_bias.value"); bias && recipe().adjust.selectionBias)
    selectionBias_ = bias->data;
  tokenIds_ = integers("batch.token_ids");
  hashTable_ = integers("select.hash_table");
  headIds_ = integers("head.target");
  if (const GoldenTensor* index = file.find("batch.sequence_index"))
    sequences_ = static_cast<std::int64_t>(index->data.back()) + 1;
  bind();
}

void GoldenRun::bind() {
  if (file_.kind != GoldenVector::Kind::layer) {
    weights_.router = {tensor("logits.weight"), tensor("logits.bias"), tensor("perturb.noise.weight")};
    return;
  }
  if (file_.find("experts.init.up")) {
    for (const MoeSegment& segment : moeSegments(recipe(), sizes_['D'])) {
      if (!segment.name.starts_with("experts.")) continue;
      bank_[segment.name] = zeros(segment.shape);
      bankGradients_[segment.name] = zeros(segment.shape);
    }
  }
  weights_ = bindMoeWeights(recipe(), sizes_['D'], [&](std::string_view segment) -> TensorView {
    const auto own = bank_.find(std::string(segment));
    return own != bank_.end() ? own->second.view() : findSegment(tensors_, segment);
  });
  if (bank_.empty()) return;
  const ExpertsWeights source = sourceOf(hostInputs_, sizes_);
  changeOnHost(backend_, weights_.experts, [&](const ExpertsWeights& bank) {
    expertsFromDense(bank, expertsSpec(recipe(), sizes_['D']), source, sizes_['G'], recipe().experts.init, 0, {});
  });
  for (const auto& [name, own] : bank_) backend_.parametersChanged(own);
}

ExpertsWeights GoldenRun::denseSource(bool gradient) const {
  return sourceOf(gradient ? gradients_ : tensors_, sizes_);
}

ExpertsSpec GoldenRun::denseSourceSpec() const {
  ExpertsSpec spec = oneExpert(expertsSpec(recipe(), sizes_['D']), 0);
  spec.hidden = {sizes_['G']};
  spec.weightOnInput = false;
  spec.dropout = 0;
  return spec;
}

TensorView GoldenRun::tensor(const std::string& role) const {
  const auto found = tensors_.find(role);
  return found == tensors_.end() ? TensorView{} : found->second.view();
}

TensorView GoldenRun::hostInput(const std::string& role) const {
  const auto found = hostInputs_.find(role);
  return found == hostInputs_.end() ? TensorView{} : found->second.view();
}

std::vector<double> GoldenRun::numbers(const TensorView& view) {
  std::vector<double> out(static_cast<std::size_t>(view.elements()));
  if (view.empty()) return out;
  const HostMirror host(backend_, view);
  withScalar(view.dtype, [&]<class S>() { std::copy_n(host.as<S>(), view.elements(), out.begin()); });
  return out;
}

std::vector<std::int32_t> GoldenRun::integers(const std::string& role) const {
  std::vector<std::int32_t> out;
  if (const GoldenTensor* tensor = file_.find(role))
    for (const double value : tensor->data) out.push_back(static_cast<std::int32_t>(value));
  return out;
}

RoutingInput GoldenRun::routerInput() {
  RoutingInput input;
  const bool given = !tensor("logits").empty();
  input.givenLogits = tensor("logits");
  if (!tensor("x").empty()) input.x = moeInput();
  if (!given) input.weights = weights_.router;
  input.weights.noiseWeight = weights_.router.noiseWeight;
  input.selectionBias = BiasView(selectionBias_);
  if (recipe().perturb.inputJitter > 0 && !given) input.draws.inputJitter = hostInput("perturb.input_jitter.draw");
  if (recipe().perturb.noise != Recipe::Perturb::Noise::none) input.draws.noise = hostInput("perturb.noise.draw");
  if (recipe().select.randomSecond) input.draws.randomSecond = hostInput("select.random_second.draw");
  if (recipe().select.force) {
    input.draws.forceToken = hostInput("select.force.token_draw");
    input.draws.forceExpert = hostInput("select.force.expert_draw");
  }
  input.tokenIds = tokenIds_;
  input.hashTable = hashTable_;
  input.sequences = sequences_;
  const GoldenTensor *step = file_.find("run.step"), *total = file_.find("run.total_steps");
  // A schedule lists many steps; its routing is that of the first optimiser step.
  if (step && file_.kind != GoldenVector::Kind::schedule) input.step = static_cast<std::int64_t>(step->data[0]);
  if (total) input.totalSteps = static_cast<std::int64_t>(total->data[0]);
  return input;
}

TensorView GoldenRun::moeInput() {
  const TensorView u = tensor("block.post_attention"), x = tensor("x");
  if (u.empty()) return x;
  if (normed_.empty()) {
    normed_ = zeros(x.shape);
    normStatistics_ = zeros({x.shape[0], 2});
    const bool before = recipe().block.moeReads == Recipe::Block::MoeReads::preAttention;
    backend_.norm(normed_, normStatistics_, before ? x : u, tensor("block.moe_norm.weight"), {}, NormKind::rms,
                  recipe().block.normEpsilon.value_or(Recipe::Block::kStandardNormEpsilon));
  }
  return normed_;
}

TensorView GoldenRun::denseInput() {
  const TensorView u = tensor("block.post_attention");
  if (u.empty()) return tensor("x");
  if (denseNormed_.empty()) {
    denseNormed_ = zeros(u.shape);
    const Tensor statistics = zeros({u.shape[0], 2});
    backend_.norm(denseNormed_, statistics, u, tensor("block.dense_norm.weight"), {}, NormKind::rms,
                  recipe().block.normEpsilon.value_or(Recipe::Block::kStandardNormEpsilon));
    backend_.synchronize();
  }
  return denseNormed_;
}

MoeInput GoldenRun::layerInput() {
  MoeInput input;
  input.x = moeInput();
  const TensorView u = tensor("block.post_attention");
  if (recipe().combine.denseResidual) input.postAttention = u.empty() ? input.x : u;
  input.routing = routerInput();
  if (recipe().combine.expertDropout > 0) input.keepHidden = tensor("combine.expert_dropout.draw");
  return input;
}

void GoldenRun::forward() {
  if (forwardDone_) return;
  forwardDone_ = true;
  if (file_.kind == GoldenVector::Kind::layer) {
    layer_ = std::make_unique<MoeLayer>(backend_, recipe(), sizes_['D']);
    output_ = zeros({sizes_['T'], sizes_['O']});
    layer_->forward(output_, layerInput(), weights_, activations_);
    if (const TensorView u = tensor("block.post_attention"); !u.empty()) backend_.add(output_, u);
  } else {
    const RoutingInput input = routerInput();
    if (input.x.empty() && input.givenLogits.empty())
      throw Error("golden", "x: an observable needs routing, and the file has neither x nor logits");
    backend_.route(routing_, recipe(), input);
  }
  finish();
}

void GoldenRun::finish() {
  std::vector<Routing*> layers{layer_ ? &layer_->routing() : &routing_};
  if (const TensorView logits = tensor("balance.other_layer_logits"); !logits.empty()) {
    Recipe other = recipe();  // a second layer with the same score and select
    other.perturb = {};
    other.adjust = {};
    other.adjust.rankBy = recipe().adjust.rankBy;
    other.select.force.reset();
    other.select.randomSecond.reset();
    RoutingInput input;
    input.givenLogits = logits;
    input.sequences = sequences_;
    backend_.route(otherLayer_, other, input);
    layers.push_back(&otherLayer_);
  }
  const Tensor totals = backend_.allocate({2 + static_cast<std::int64_t>(recipe().balance.size())}, DType::f64);
  backend_.finishBalance(totals, layers, recipe(), nullptr);
  const std::vector<double> found = numbers(totals);
  backend_.read(*layers[0]);
  for (std::size_t i = 0; i < recipe().balance.size(); ++i) {
    const Recipe::BalanceTerm& term = recipe().balance[i];
    const bool joined =
        term.kind == Recipe::BalanceTerm::Kind::load && term.layers != Recipe::BalanceTerm::Layers::separate;
    values_[term.name] = joined ? found[2 + i] : layers[0]->balance[i].value;
  }
  if (file_.kind != GoldenVector::Kind::layer || recipe().head.kind != Recipe::Head::Kind::mixture) return;
  const std::vector<double> losses = head().losses(target());
  for (std::size_t i = 0; i < losses.size(); ++i) values_[recipe().head.losses[i].name] = losses[i];
}

Routing& GoldenRun::routing() {
  forward();
  Routing& routing = layer_ ? layer_->routing() : routing_;
  backend_.read(routing);
  return routing;
}

TensorView GoldenRun::output() {
  forward();
  return output_;
}

MoeLayer& GoldenRun::layer() {
  forward();
  return *layer_;
}

MixtureHead& GoldenRun::head() {
  if (!head_) {
    head_ = std::make_unique<MixtureHead>(backend_, recipe(), sizes_['D']);
    head_->forward(moeInput(), routerInput(), weights_);
  }
  return *head_;
}

MixtureTarget GoldenRun::target() const {
  MixtureTarget target;
  target.values = hostInput("head.target");
  target.ids = headIds_;
  return target;
}

void GoldenRun::runBank(const TensorView& out, const TensorView& x, const ExpertsSpec& spec,
                        const ExpertsWeights& weights) {
  Dispatch everyToken;
  dispatchEveryToken(everyToken, x.shape[0], static_cast<std::int32_t>(spec.experts()));
  const Tensor saved = zeros({backend_.expertsSavedElements(spec, everyToken.assignments())});
  backend_.experts(out, saved, x, everyToken, spec, weights, {}, false);
  backend_.synchronize();
}

const std::map<std::string, double>& GoldenRun::values() {
  forward();
  return values_;
}

std::map<std::string, double> GoldenRun::coefficients() const {
  std::map<std::string, double> out;
  for (const Recipe::BalanceTerm& term : recipe().balance) out[term.name] = term.coefficient;
  if (recipe().head.kind == Recipe::Head::Kind::mixture)
    for (const Recipe::Head::Loss& loss : recipe().head.losses) out[loss.name] = loss.coefficient;
  return out;
}

}  // namespace moe
