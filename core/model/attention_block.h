#pragma once
#include "core/backend/ops/attention.h"
#include "core/backend/ops/gradients.h"
#include "core/model/activations.h"
#include "core/model/config.h"

namespace moe {

class Backend;

/// The attention branch of a block: projection to queries, keys and values, attention, projection back.
class AttentionBlock {
 public:
  struct Weights {
    TensorView qkv;     // ((heads + 2 kvHeads) * headWidth, D)
    TensorView output;  // (D, heads * headWidth)
  };

  AttentionBlock(Backend& backend, const AttentionConfig& config, double ropeTheta);

  /// u (T, D) += attention over `sequences` of equal length in x (T, D).
  void forward(const TensorView& u, const TensorView& x, const Weights& weights, std::int64_t sequences,
               Activations& memory);
  /// dx (T, D) is overwritten. du (T, D) is the gradient of forward's u.
  void backward(const TensorView& dx, const Weights& gradients, const TensorView& du, const TensorView& x,
                const Weights& weights, Gradients mode, Activations& memory);
  /// u (1, D) += attention of the token at `position` over the cache, which it joins.
  void next(const TensorView& u, const TensorView& x, const Weights& weights, const KeyValueCache& cache,
            std::int64_t position, Activations& memory);

 private:
  Backend& backend_;
  AttentionSpec spec_;
  TensorView qkv_;    // (T, qkvWidth)
  TensorView mixed_;  // (T, heads * headWidth)
  TensorView saved_;
};

}  // namespace moe
