#pragma once
#include <memory>
#include <vector>

#include "core/model/block.h"
#include "core/model/mixture_language_head.h"
#include "core/model/model.h"

namespace moe {

/// What the members of Model share across its files. Belongs to the backend's thread.
struct Model::Impl {
  Impl(Backend& backend, ModelConfig config, DType dtype, bool training);

  /// The blocks with what they remember of a pass: one set for passes over batches, one in each generation cache.
  std::vector<std::unique_ptr<Block>> makeBlocks() const;
  /// Null for a linear head.
  std::unique_ptr<MixtureLanguageHead> makeHead() const;
  BlockPass blockPass(std::size_t layer) const;
  /// Adds what is the same for every layer.
  void passBatch(BlockPass& pass, const Batch& batch, const PassSettings& settings, double lossScale) const;
  /// Everything up to the logits (T, V), or to the routing of a mixture head. keepLayers: with what backward reads of
  /// each layer; else only its input.
  void forwardToHead(const Batch& batch, const PassSettings& settings, double lossScale, bool keepLayers);
  /// Losses (T), and with gradients the head's: from there to dNormed.
  void forwardHead(const Batch& batch, const PassSettings& settings, double perTarget, bool withGradients);
  void linearHead(const Batch& batch, Gradients mode, double perTarget, bool withGradients);
  void mixtureHead(const Batch& batch, Phase phase, double perTarget, bool withGradients);
  /// What no product of the next backward pass overwrites.
  void clearGradients();
  /// From dNormed to the parameters' gradients. recompute: the layers were not kept.
  void backward(const Batch& batch, bool recompute);
  /// Returns the batch's targets.
  std::int64_t ask(const PassTotals& out, const Batch& batch, const PassSettings& settings, double lossScale,
                   bool withGradients);
  /// The same, waited for.
  LossSums pass(const Batch& batch, const PassSettings& settings, double lossScale, bool withGradients);
  void finishBalance(const TensorView& out, const PassSettings& settings);
  void show(std::span<Routing* const> routings);
  /// Room for one bias a layer that has one: zeros, or what is there already.
  void fitSelectionBias();
  /// Of all expert layers alike: one recipe. Where only the head is routed it stands in a dense layer.
  const Recipe& balanceRecipe() const;

  TensorView headWeight() const { return parameters.value(config.tiedHead ? "embedding.tokens" : "head.weight"); }
  TensorView headGradient() const { return parameters.gradient(config.tiedHead ? "embedding.tokens" : "head.weight"); }

  Backend& backend;
  ModelConfig config;
  DType dtype;
  Parameters parameters;
  std::int64_t revision = 0;                          // counts reconfigure: caches follow
  std::int64_t trainingTokens = 0;                    // of the last training pass
  Tensor biasArena;                                   // f32, the layers' one behind the other
  std::vector<TensorView> selectionBias;              // (layers) of (E) in it, or empty
  std::vector<std::vector<std::int32_t>> hashTables;  // (layers) of (V) or empty
  std::vector<Tensor> keptExperts;                    // (layers) of (E) or empty: 0 = left out of evaluation
  std::vector<int> expertLayers;
  std::vector<std::unique_ptr<Block>> blocks;
  std::unique_ptr<MixtureLanguageHead> head;  // null: linear
  std::vector<Routing*> routings;             // of the blocks, expert layers only, then the head's
  std::vector<Routing*> asked;                // of the last pass or generated token
  std::vector<const Routing*> shownRouting;   // the same
  bool routingRead = true;                    // the host has their tables

  Activations memory;
  std::vector<TensorView> stream;  // (layers + 1) of (T, D): what enters each block, and what leaves the last
  TensorView normed, dNormed, statistics, logits, losses;  // (T, D), (T, D), (T, 2), (T, V), (T)
  std::vector<float> tokenLosses;                          // (T)
  bool lossesRead = true;                                  // tokenLosses are those of the last pass
  Tensor totals;  // f64: loss, then as PassTotals::balance, of a pass that is waited for
};

}  // namespace moe
