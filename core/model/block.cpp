#include "core/model/block.h"

#include "core/backend/backend.h"

namespace moe {
namespace {

/// Of a block with experts its recipe may say its own.
double normEpsilonOf(const LayerConfig& layer, double model) {
  return layer.hasExperts ? layer.recipe.block.normEpsilon.value_or(model) : model;
}

/// The recipe with that number in it, which the layer's dense residual norms by too.
Recipe saying(Recipe recipe, double normEpsilon) {
  recipe.block.normEpsilon = normEpsilon;
  return recipe;
}

}  // namespace

Block::Block(Backend& backend, const ModelConfig& config, std::size_t index, const Parameters& parameters)
    : backend_(backend),
      config_(config.layers[index]),
      index_(static_cast<std::uint32_t>(index)),
      normKind_(config.norm),
      modelEpsilon_(config.normEpsilon),
      normEpsilon_(normEpsilonOf(config_, modelEpsilon_)),
      attention_(backend, config_.attention, config.positions == Positions::rope ? config.ropeTheta : 0) {
  const std::string prefix = layerPrefix(index);
  const auto value = [&](std::string_view name) { return parameters.value(prefix + std::string(name)); };
  const auto gradient = [&](std::string_view name) { return parameters.gradient(prefix + std::string(name)); };
  for (auto& [norm, name] : {std::pair<Norm&, std::string>(attentionNorm_, "attention_norm"),
                             std::pair<Norm&, std::string>(feedForwardNorm_, "feed_forward_norm")}) {
    norm.weight = value(name + ".weight");
    norm.bias = value(name + ".bias");
    norm.dWeight = gradient(name + ".weight");
    norm.dBias = gradient(name + ".bias");
  }
  attentionWeights_ = {value("attention.qkv"), value("attention.output")};
  attentionGradients_ = {gradient("attention.qkv"), gradient("attention.output")};
  if (config_.hasExperts) {
    moe_.emplace(backend, saying(config_.recipe, normEpsilon_), config.width);
    moeWeights_ = bindMoeWeights(config_.recipe, config.width, value);
    moeGradients_ = bindMoeWeights(config_.recipe, config.width, gradient);
  } else {
    dense_.emplace(backend, config_.dense, config.width);
    denseWeights_ = DenseFeedForward::bind(config_.dense, value);
    denseGradients_ = DenseFeedForward::bind(config_.dense, gradient);
  }
}

void Block::reconfigure(const LayerConfig& config) {
  config_ = config;
  normEpsilon_ = normEpsilonOf(config, modelEpsilon_);
  if (moe_) moe_->reconfigure(saying(config.recipe, normEpsilon_));
}

void Block::applyNorm(Norm& norm, const TensorView& x, Activations& memory) {
  norm.normed = memory.take(x.shape, x.dtype);
  norm.statistics = memory.take({x.shape[0], 2}, x.dtype);
  backend_.norm(norm.normed, norm.statistics, x, norm.weight, norm.bias, normKind_, normEpsilon_);
}

void Block::normBackward(const TensorView& dx, const Norm& norm, const TensorView& dNormed, const TensorView& x) {
  backend_.normBackward(dx, norm.dWeight, norm.dBias, dNormed, x, norm.statistics, norm.weight, normKind_);
}

void Block::forward(const TensorView& out, const TensorView& h, const BlockPass& pass, Activations& memory) {
  h_ = h;
  pass_ = pass;
  compute(out, false, memory);
}

void Block::forwardAgain(const TensorView& out, Activations& memory) { compute(out, true, memory); }

void Block::compute(const TensorView& out, bool again, Activations& memory) {
  applyNorm(attentionNorm_, h_, memory);
  postAttention_ = memory.take(h_.shape, h_.dtype);
  backend_.copy(postAttention_, h_);
  if (pass_.cache)
    attention_.next(postAttention_, attentionNorm_.normed, attentionWeights_, *pass_.cache, pass_.position, memory);
  else
    attention_.forward(postAttention_, attentionNorm_.normed, attentionWeights_, pass_.sequences, memory);
  backend_.copy(out, postAttention_);
  const bool before = moe_ && config_.recipe.block.moeReads == Recipe::Block::MoeReads::preAttention;
  applyNorm(feedForwardNorm_, before ? h_ : postAttention_, memory);
  if (moe_)
    computeExperts(out, again, memory);
  else
    dense_->forward(out, feedForwardNorm_.normed, denseWeights_, pass_.phase, memory);
}

void fillRoutingInput(RoutingInput& routing, DrawBuffers& draws, const Recipe& recipe, const BlockPass& pass,
                      std::uint32_t layer, const Shape& tokens, DType dtype) {
  DrawKey key = pass.draws;
  key.layer = layer;
  routing.deviceSelectionBias = pass.selectionBias;
  routing.draws = fillDraws(draws, recipe, key, pass.phase, tokens[0], tokens[1], dtype);
  if (pass.phase != Phase::training) routing.draws.keepExpert = pass.keptExperts;
  routing.tokenIds = pass.tokenIds;
  routing.hashTable = pass.hashTable;
  routing.sequences = pass.sequences;
  routing.phase = pass.phase;
  routing.step = key.step;
  routing.totalSteps = key.totalSteps;
  routing.lossScale = pass.lossScale;
  routing.balanceGradient = pass.languageOnly ? kNoBalanceTerms : kAllBalanceTerms;
  routing.history = pass.history;
  routing.trainingGroupTokens = pass.trainingGroupTokens;
}

void Block::computeExperts(const TensorView& out, bool again, Activations& memory) {
  const Recipe& recipe = config_.recipe;
  moeInput_.x = feedForwardNorm_.normed;
  moeInput_.postAttention = recipe.combine.denseResidual ? postAttention_ : TensorView{};
  if (!again) fillRoutingInput(moeInput_.routing, draws_, recipe, pass_, index_, out.shape, out.dtype);
  moeInput_.watch = pass_.watch;
  moeInput_.gradients = pass_.gradients;
  moeInput_.keepHidden = {};
  if (pass_.phase == Phase::training && recipe.combine.expertDropout > 0) {
    moeInput_.keepHidden = memory.take({out.shape[0], moe_->widestHidden()}, out.dtype);
    if (keepHidden_.shape() != moeInput_.keepHidden.shape || keepHidden_.dtype() != out.dtype)
      keepHidden_ = hostTensor(moeInput_.keepHidden.shape, out.dtype);
    fillKeepHidden(keepHidden_, recipe.combine.expertDropout, pass_.draws.seed, pass_.draws.step, index_,
                   pass_.draws.firstToken);
    backend_.copy(moeInput_.keepHidden, keepHidden_);
  }
  const TensorView branch = memory.take(out.shape, out.dtype);
  if (again)
    moe_->forwardAgain(branch, moeInput_, moeWeights_, memory);
  else
    moe_->forward(branch, moeInput_, moeWeights_, memory);
  backend_.add(out, branch);
}

void Block::backwardFeedForward(const TensorView& dNormed, const TensorView& dh, Activations& memory) {
  backend_.fill(dNormed, 0);
  if (!moe_) {
    dense_->backward(dNormed, denseGradients_, dh, feedForwardNorm_.normed, denseWeights_, pass_.gradients);
    return;
  }
  TensorView dPostAttention;
  if (config_.recipe.combine.denseResidual) {
    dPostAttention = memory.take(dh.shape, dh.dtype);
    backend_.fill(dPostAttention, 0);
  }
  moe_->backward(moeGradients_, dNormed, dPostAttention, dh, moeInput_, moeWeights_, memory);
  if (!dPostAttention.empty()) backend_.add(dh, dPostAttention);
}

void Block::backward(const TensorView& dh, Activations& memory) {
  const bool before = moe_ && config_.recipe.block.moeReads == Recipe::Block::MoeReads::preAttention;
  const ActivationsScope scope(memory);
  const TensorView dFeedForward = memory.take(dh.shape, dh.dtype), dNormed = memory.take(dh.shape, dh.dtype);
  backwardFeedForward(dFeedForward, dh, memory);
  if (!before) normBackward(dh, feedForwardNorm_, dFeedForward, postAttention_);
  attention_.backward(dNormed, attentionGradients_, dh, attentionNorm_.normed, attentionWeights_, pass_.gradients,
                      memory);
  normBackward(dh, attentionNorm_, dNormed, h_);
  // The experts read h itself: their share must not pass through the attention's backward.
  if (before) normBackward(dh, feedForwardNorm_, dFeedForward, h_);
}

}  // namespace moe
