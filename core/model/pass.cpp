#include <algorithm>
#include <cassert>

#include "core/backend/backend.h"
#include "core/model/model_impl.h"
#include "core/tensor/scalar.h"

namespace moe {

BlockPass Model::Impl::blockPass(std::size_t layer) const {
  BlockPass pass;
  pass.hashTable = hashTables[layer];
  pass.selectionBias = selectionBias[layer];
  if (!keptExperts[layer].empty()) pass.keptExperts = keptExperts[layer];
  const Recipe& recipe = config.layers[layer].recipe;
  pass.trainingGroupTokens = trainingTokens / std::max(1, recipe.capacity.tokenGroups);
  return pass;
}

void Model::Impl::passBatch(BlockPass& pass, const Batch& batch, const PassSettings& settings, double lossScale) const {
  pass.sequences = batch.sequences;
  pass.phase = settings.phase;
  pass.draws.seed = settings.seed;
  pass.draws.step = settings.step;
  pass.draws.totalSteps = settings.totalSteps;
  pass.draws.firstToken = settings.firstToken;
  pass.lossScale = lossScale;
  pass.tokenIds = batch.ids;
  pass.watch = settings.watch;
  pass.gradients = settings.gradients;
  pass.languageOnly = settings.languageOnly;
}

void Model::Impl::forwardToHead(const Batch& batch, const PassSettings& settings, double lossScale, bool keepLayers) {
  const std::int64_t T = batch.tokens(), D = config.width;
  if (settings.phase == Phase::training) trainingTokens = T;
  memory.begin();
  for (TensorView& layerInput : stream) layerInput = memory.take({T, D}, dtype);
  backend.embedding(stream[0], parameters.value("embedding.tokens"), parameters.value("embedding.positions"), batch.ids,
                    batch.positions);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    BlockPass pass = blockPass(i);
    passBatch(pass, batch, settings, lossScale);
    const std::int64_t mark = memory.mark();
    blocks[i]->forward(stream[i + 1], stream[i], pass, memory);
    if (!keepLayers) memory.release(mark);
  }
  normed = memory.take({T, D}, dtype);
  statistics = memory.take({T, 2}, dtype);
  backend.norm(normed, statistics, stream.back(), parameters.value("final_norm.weight"),
               parameters.value("final_norm.bias"), config.norm, config.normEpsilon);
  if (head) {
    BlockPass pass;
    passBatch(pass, batch, settings, lossScale);
    return head->route(normed, pass);
  }
  logits = memory.take({T, config.vocabulary}, dtype);
  backend.linear(logits, normed, headWeight(), {}, false);
}

void Model::Impl::linearHead(const Batch& batch, Gradients mode, double perTarget, bool withGradients) {
  backend.crossEntropy(losses, logits, batch.targets, perTarget);
  if (!withGradients) return;
  if (perTarget == 0) backend.fill(logits, 0);  // no target: only the balance terms have a gradient
  backend.linearBackward(dNormed, headGradient(), {}, logits, normed, headWeight(), false, mode);
}

void Model::Impl::mixtureHead(const Batch& batch, Phase phase, double perTarget, bool withGradients) {
  logits = {};
  if (phase != Phase::training) {
    logits = memory.take({batch.tokens(), config.vocabulary}, dtype);
    return head->predict(losses, logits, batch.targets, memory);
  }
  if (withGradients) backend.fill(dNormed, 0);
  head->train(losses, dNormed, batch.targets, perTarget, memory);
  if (withGradients) head->backwardRouter(dNormed);
}

void Model::Impl::forwardHead(const Batch& batch, const PassSettings& settings, double perTarget, bool withGradients) {
  losses = memory.take({batch.tokens()}, dtype);
  if (withGradients) dNormed = memory.take(normed.shape, dtype);
  if (head)
    mixtureHead(batch, settings.phase, perTarget, withGradients);
  else
    linearHead(batch, settings.gradients, perTarget, withGradients);
}

void Model::Impl::clearGradients() {
  for (const Parameter& parameter : parameters.all())
    if (!parameter.wholeGradient) backend.fill(parameter.gradient, 0);
}

void Model::Impl::backward(const Batch& batch, bool recompute) {
  const TensorView dStream = memory.take(normed.shape, dtype);
  backend.fill(dStream, 0);
  backend.normBackward(dStream, parameters.gradient("final_norm.weight"), parameters.gradient("final_norm.bias"),
                       dNormed, stream.back(), statistics, parameters.value("final_norm.weight"), config.norm);
  for (std::size_t i = blocks.size(); i-- > 0;) {
    const ActivationsScope scope(memory);
    if (recompute) blocks[i]->forwardAgain(stream[i + 1], memory);
    blocks[i]->backward(dStream, memory);
  }
  backend.embeddingBackward(parameters.gradient("embedding.tokens"), parameters.gradient("embedding.positions"),
                            dStream, batch.ids, batch.positions);
}

void Model::Impl::finishBalance(const TensorView& out, const PassSettings& settings) {
  if (routings.empty() || settings.phase == Phase::generation) return;
  const Recipe& recipe = balanceRecipe();
  if (!recipe.balance.empty()) backend.finishBalance(out, routings, recipe, settings.globalBatch);
}

std::int64_t Model::Impl::ask(const PassTotals& out, const Batch& batch, const PassSettings& settings, double lossScale,
                              bool withGradients) {
  assert(batch.tokens() > 0 && batch.length <= config.context &&
         batch.ids.size() == static_cast<std::size_t>(batch.tokens()));
  const std::int64_t targets = std::ranges::count_if(batch.targets, [](std::int32_t target) { return target >= 0; });
  forwardToHead(batch, settings, lossScale, withGradients && !settings.recompute);
  finishBalance(out.balance, settings);
  const double perTarget = withGradients && targets > 0 ? lossScale / static_cast<double>(targets) : 0;
  if (withGradients && settings.gradients == Gradients::overwrite) clearGradients();
  forwardHead(batch, settings, perTarget, withGradients);
  backend.sum(out.loss, losses);
  if (withGradients) backward(batch, settings.recompute);
  lossesRead = false;
  show(routings);
  return targets;
}

LossSums Model::Impl::pass(const Batch& batch, const PassSettings& settings, double lossScale, bool withGradients) {
  const std::int64_t terms = routings.empty() ? 0 : static_cast<std::int64_t>(balanceRecipe().balance.size());
  if (totals.elements() != 3 + terms) totals = backend.allocate({3 + terms}, DType::f64);
  const bool balanced = terms > 0 && settings.phase != Phase::generation;
  LossSums sums;
  sums.targets =
      ask({totals.view().rows(0, 1), totals.view().rows(1, 3 + terms)}, batch, settings, lossScale, withGradients);
  const HostCopy copy = backend.read(totals);
  const std::span<const double> found = copy.span<double>();
  sums.loss = found[0];
  sums.objective = head && settings.phase == Phase::training ? head->objective() : sums.loss;
  if (!balanced) return sums;
  sums.auxLoss = found[1];
  sums.zLoss = found[2];
  sums.balance.assign(found.begin() + 3, found.end());
  return sums;
}

}  // namespace moe
