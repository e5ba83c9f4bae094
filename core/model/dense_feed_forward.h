#pragma once
#include <functional>

#include "core/backend/ops/experts.h"
#include "core/backend/ops/gradients.h"
#include "core/model/activations.h"
#include "core/model/config.h"
#include "core/router/dispatch.h"

namespace moe {

class Backend;

/// The feed-forward of a layer without experts: a bank of one expert that takes every token.
class DenseFeedForward {
 public:
  DenseFeedForward(Backend& backend, const DenseConfig& config, std::int64_t width);

  /// Its weights, or their gradients, from `find(name)` ("feed_forward.up" ...), in the shapes of a bank.
  static ExpertsWeights bind(const DenseConfig& config, const std::function<TensorView(const std::string&)>& find);

  /// y (T, D) += FFN(x (T, D)). No backward follows a generated token.
  void forward(const TensorView& y, const TensorView& x, const ExpertsWeights& weights, Phase phase,
               Activations& memory);
  /// dx is added to.
  void backward(const TensorView& dx, const ExpertsWeights& gradients, const TensorView& dy, const TensorView& x,
                const ExpertsWeights& weights, Gradients mode);

 private:
  Backend& backend_;
  ExpertsSpec spec_;
  Dispatch dispatch_;  // every token
  TensorView saved_;
};

}  // namespace moe
