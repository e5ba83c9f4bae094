#include "core/model/block.h"

namespace moe {

Block::Block(Backend& backend, const ModelConfig& config, std::size_t index, const Parameters& parameters)
    : backend_(backend),
      config_(config.layers[index]),
      index_(static_cast<std::uint32_t>(index)),
      normKind_(config.norm),
      normEpsilon_(config.normEpsilon),
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
    moe_.emplace(backend, config_.recipe, config.width);
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
  if (moe_) moe_->reconfigure(config.recipe);
}

void Block::applyNorm(Norm& norm, const TensorView& x) {
  norm.normed = norm.normedRoom.view(backend_, x.shape, x.dtype);
  norm.statistics = norm.statisticsRoom.view(backend_, {x.shape[0], 2}, x.dtype);
  backend_.norm(norm.normed, norm.statistics, x, norm.weight, norm.bias, normKind_, normEpsilon_);
}

void Block::normBackward(const TensorView& dx, const Norm& norm, const TensorView& dNormed, const TensorView& x) {
  backend_.normBackward(dx, norm.dWeight, norm.dBias, dNormed, x, norm.statistics, norm.weight, normKind_);
}

void Block::forward(const TensorView& out, const TensorView& h, const BlockPass& pass) {
  h_ = h;
  applyNorm(attentionNorm_, h);
  postAttention_ = postAttentionRoom_.view(backend_, h.shape, h.dtype);
  backend_.copy(postAttention_, h);
  if (pass.cache)
    attention_.next(postAttention_, attentionNorm_.normed, attentionWeights_, *pass.cache, pass.position);
  else
    attention_.forward(postAttention_, attentionNorm_.normed, attentionWeights_, pass.sequences);
  backend_.copy(out, postAttention_);
  const bool before = moe_ && config_.recipe.block.moeReads == Recipe::Block::MoeReads::preAttention;
  applyNorm(feedForwardNorm_, before ? h : postAttention_);
  if (moe_)
    forwardExperts(out, pass);
  else
    dense_->forward(out, feedForwardNorm_.normed, denseWeights_);
}

void Block::forwardExperts(const TensorView& out, const BlockPass& pass) {
  const Recipe& recipe = config_.recipe;
  const std::int64_t T = out.shape[0], D = out.shape[1];
  DrawKey key = pass.draws;
  key.layer = index_;
  moeInput_.x = feedForwardNorm_.normed;
  moeInput_.postAttention = recipe.combine.denseResidual ? postAttention_ : TensorView{};
  RoutingInput& routing = moeInput_.routing;
  routing.selectionBias = pass.selectionBias;
  routing.draws = fillDraws(draws_, recipe, key, pass.phase, T, D, out.dtype);
  if (pass.phase != Phase::training) routing.draws.keepExpert = pass.keptExperts;
  routing.tokenIds = pass.tokenIds;
  routing.hashTable = pass.hashTable;
  routing.sequences = pass.sequences;
  routing.phase = pass.phase;
  routing.step = key.step;
  routing.totalSteps = key.totalSteps;
  routing.lossScale = pass.lossScale;
  routing.history = pass.history;
  routing.trainingGroupTokens = pass.trainingGroupTokens;
  moeInput_.watch = pass.watch;
  moeInput_.keepHidden = {};
  if (pass.phase == Phase::training && recipe.combine.expertDropout > 0) {
    moeInput_.keepHidden = keepRoom_.view(backend_, {T, moe_->widestHidden()}, out.dtype);
    fillKeepHidden(moeInput_.keepHidden, recipe.combine.expertDropout, key.seed, key.step, key.layer, key.firstToken);
  }
  const TensorView branch = branchRoom_.view(backend_, out.shape, out.dtype);
  moe_->forward(branch, moeInput_, moeWeights_);
  backend_.add(out, branch);
}

void Block::backwardFeedForward(const TensorView& dNormed, const TensorView& dh, BackwardScratch& scratch) {
  backend_.fill(dNormed, 0);
  if (!moe_) {
    dense_->backward(dNormed, denseGradients_, dh, feedForwardNorm_.normed, denseWeights_);
    return;
  }
  TensorView dPostAttention;
  if (config_.recipe.combine.denseResidual) {
    dPostAttention = scratch.dPostAttention.view(backend_, dh.shape, dh.dtype);
    backend_.fill(dPostAttention, 0);
  }
  moe_->backward(moeGradients_, dNormed, dPostAttention, dh, moeInput_, moeWeights_);
  if (!dPostAttention.empty()) backend_.add(dh, dPostAttention);
}

void Block::backward(const TensorView& dh, BackwardScratch& scratch) {
  const bool before = moe_ && config_.recipe.block.moeReads == Recipe::Block::MoeReads::preAttention;
  const TensorView dFeedForward = scratch.dFeedForward.view(backend_, dh.shape, dh.dtype);
  const TensorView dNormed = scratch.dNormed.view(backend_, dh.shape, dh.dtype);
  backwardFeedForward(dFeedForward, dh, scratch);
  if (!before) normBackward(dh, feedForwardNorm_, dFeedForward, postAttention_);
  attention_.backward(dNormed, attentionGradients_, dh, attentionNorm_.normed, attentionWeights_, scratch);
  normBackward(dh, attentionNorm_, dNormed, h_);
  // The experts read h itself: their share must not pass through the attention's backward.
  if (before) normBackward(dh, feedForwardNorm_, dFeedForward, h_);
}

}  // namespace moe
