#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/model/activations.h"
#include "core/model/block.h"
#include "core/model/moe_segments.h"

namespace moe {

/// The mixture of 1991 as the head of a language model: what mixtureLoss (mixture_head.h) defines for token ids, in the
/// model's type, by the backend's products, and a chunk of tokens at a time, so that the experts' outputs (E, T, V) never
/// stand in memory at once. Weights stay the model's. Belongs to the backend's thread.
class MixtureLanguageHead {
 public:
  MixtureLanguageHead(Backend& backend, const ModelConfig& config, const Parameters& parameters);

  /// Tokens whose outputs stand in memory at once.
  static std::int64_t chunkTokens(std::int64_t experts, std::int64_t vocabulary);

  /// Settings that keep every shape.
  void reconfigure(const Recipe& recipe);
  const Recipe& recipe() const { return recipe_; }
  Routing& routing() { return routing_; }

  /// The shares p (T, E) of x (T, D), which must live until the last call about it.
  void route(const TensorView& x, const BlockPass& pass);
  /// Nats of each target under the prediction, 0 where there is none: losses (T). logits (T, V) become the log of the
  /// predicted probabilities. The prediction is the shares' mixture of the experts' softmaxes, or, where cooperative
  /// losses alone are trained on, the softmax of their mixed outputs.
  void predict(const TensorView& losses, const TensorView& logits, std::span<const std::int32_t> targets,
               Activations& memory);
  /// Nats of each target under the prediction, as `predict` says them: losses (T), whatever is minimised. With scale other
  /// than 0 the gradient of coefficient * loss of recipe.head, summed over losses and targets, times scale is added to the experts' gradients and to dx (T, D), and kept for the router's backward.
  void train(const TensorView& losses, const TensorView& dx, std::span<const std::int32_t> targets, double scale,
             Activations& memory);
  /// coefficient * loss of recipe.head, summed over losses and targets, of the last `train`.
  double objective() const { return objective_; }
  /// The router's gradients: of the last `train`, and of the balance terms.
  void backwardRouter(const TensorView& dx /*+=*/);

 private:
  struct Chunk {
    std::int64_t begin, end;       // tokens
    TensorView outputs;            // (C * E, V), rows in the order of row(); cross-entropy makes slopes of them
    TensorView costs;              // (C * E) nats of each expert alone
    TensorView blend, blendCosts;  // (C, V), (C): of the mixed outputs; empty unless asked for
    std::int64_t tokens() const { return end - begin; }
  };
  /// Linear experts are one product whose rows are the tokens; others come one expert after the other.
  std::int64_t row(const Chunk& chunk, std::int64_t token, std::int64_t expert) const {
    return linear_ ? token * experts_ + expert : expert * chunk.tokens() + token;
  }
  Chunk computeOutputs(std::int64_t begin, std::int64_t end, bool blended, Activations& memory);
  template <class S>
  void blendOutputs(Chunk& chunk);
  void toSlopes(const Chunk& chunk, std::span<const std::int32_t> targets);
  template <class S>
  void trainChunk(Chunk& chunk, const TensorView& losses, std::span<const std::int32_t> targets, double scale);
  template <class S>
  void predictChunk(Chunk& chunk, const TensorView& losses, const TensorView& logits,
                    std::span<const std::int32_t> targets);
  void backwardOutputs(const Chunk& chunk, const TensorView& dx);
  double coefficient(Recipe::Head::Form form) const;
  bool predictsByBlend() const;
  const double* sharesOf(std::int64_t token) const { return shares_.data() + token * experts_; }

  Backend& backend_;
  Recipe recipe_;
  ExpertsSpec spec_;
  MoeWeights weights_, gradients_;
  bool linear_ = true;
  std::int64_t experts_ = 0, vocabulary_ = 0;  // E, V
  Routing routing_;
  RoutingInput routingInput_;
  DrawBuffers draws_;
  double objective_ = 0;
  Dispatch everyToken_;                   // of a chunk, for one expert
  TensorView x_;                          // (T, D)
  TensorView saved_;                      // (E, saved of one expert); not linear
  std::vector<double> shares_, dShares_;  // (T, E)
  Tensor dAssignment_;                    // (at least A) f64
  std::vector<double> row_;               // (E)
  std::vector<std::int32_t> targets_;     // (C * E)
};

}  // namespace moe
