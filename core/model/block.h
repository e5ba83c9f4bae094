#pragma once
#include <optional>
#include <span>

#include "core/model/attention_block.h"
#include "core/model/dense_feed_forward.h"
#include "core/model/moe_layer.h"
#include "core/model/parameters.h"
#include "core/router/draws.h"

namespace moe {

/// What one pass through a block is run under, besides its input.
struct BlockPass {
  std::int64_t sequences = 1;
  Phase phase = Phase::training;
  DrawKey draws;                            // `layer` is the block's
  double lossScale = 1;                     // of the balance terms' gradients
  std::span<const std::int32_t> tokenIds;   // (T)
  std::span<const std::int32_t> hashTable;  // (V) or empty
  TensorView selectionBias;                 // (E) f32 or empty
  TensorView keptExperts;                   // (E) or empty: 0 = not selected, outside training; on the host
  const KeyValueCache* cache = nullptr;     // generation of one token at `position`
  std::int64_t position = 0;
  RankingHistory* history = nullptr;  // generation with expert choice
  std::int64_t trainingGroupTokens = 0;
  BalancerWatch watch = BalancerWatch::off;
  Gradients gradients = Gradients::add;  // of segments with Segment::wholeGradient
  bool languageOnly = false;
};

/// What the router called `layer` is given for T tokens of width D; x and the weights are the layer's own to add.
void fillRoutingInput(RoutingInput& routing, DrawBuffers& draws, const Recipe& recipe, const BlockPass& pass,
                      std::uint32_t layer, const Shape& tokens /*(T, D)*/, DType dtype);

/// One pre-norm residual block: u = h + Attention(norm(h)); out = u + FeedForward(norm(u)), or of norm(h) where the
/// experts read the state before attention. Holds its activations; weights stay the model's.
class Block {
 public:
  Block(Backend& backend, const ModelConfig& config, std::size_t index, const Parameters& parameters);

  /// out (T, D) from h (T, D); `h`, and what `pass` points at, must live until backward. What backward reads is left in
  /// `memory`.
  void forward(const TensorView& out, const TensorView& h, const BlockPass& pass, Activations& memory);
  /// Where that was released: computes it again, and `out` with it. The routing is the one that forward found.
  void forwardAgain(const TensorView& out, Activations& memory);
  /// dh (T, D) comes as the gradient of `out` and goes as the gradient of `h`.
  void backward(const TensorView& dh, Activations& memory);

  /// Settings that keep every shape.
  void reconfigure(const LayerConfig& config);
  /// Null for a dense block.
  Routing* routing() { return moe_ ? &moe_->routing() : nullptr; }
  /// Of an expert block, after the passes watched. Both wait.
  BalancerGradient balancerGradient() const { return moe_->balancerGradient(); }
  double routerGradient() const { return gradientNorm(backend_, moeGradients_.router); }

 private:
  struct Norm {
    TensorView weight, bias, dWeight, dBias;  // (D)
    TensorView normed, statistics;            // (T, D), (T, 2)
  };

  void applyNorm(Norm& norm, const TensorView& x, Activations& memory);
  void normBackward(const TensorView& dx, const Norm& norm, const TensorView& dNormed, const TensorView& x);
  void compute(const TensorView& out, bool again, Activations& memory);
  void computeExperts(const TensorView& out, bool again, Activations& memory);
  void backwardFeedForward(const TensorView& dNormed, const TensorView& dh, Activations& memory);

  Backend& backend_;
  LayerConfig config_;
  std::uint32_t index_ = 0;
  NormKind normKind_;
  double modelEpsilon_ = 0, normEpsilon_ = 0;  // the recipe's own, or the model's
  Norm attentionNorm_, feedForwardNorm_;
  AttentionBlock attention_;
  AttentionBlock::Weights attentionWeights_, attentionGradients_;
  std::optional<DenseFeedForward> dense_;
  ExpertsWeights denseWeights_, denseGradients_;
  std::optional<MoeLayer> moe_;
  MoeWeights moeWeights_, moeGradients_;
  MoeInput moeInput_;
  DrawBuffers draws_;
  Tensor keepHidden_;         // the draws of expert dropout on the host, on their way
  BlockPass pass_;            // the last forward's
  TensorView h_;              // (T, D) the pass's input
  TensorView postAttention_;  // (T, D) u
};

}  // namespace moe
