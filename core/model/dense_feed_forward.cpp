#include "core/model/dense_feed_forward.h"

#include "core/backend/backend.h"

namespace moe {

DenseFeedForward::DenseFeedForward(Backend& backend, const DenseConfig& config, std::int64_t width)
    : backend_(backend) {
  spec_.kind = config.kind;
  spec_.activation = config.activation;
  spec_.width = spec_.outputWidth = width;
  spec_.hidden = {config.hidden};
}

ExpertsWeights DenseFeedForward::bind(const DenseConfig& config,
                                      const std::function<TensorView(const std::string&)>& find) {
  const std::string name = "feed_forward.";
  const TensorView down = find(name + "down");  // (D, F) as the bank's (O*H)
  ExpertsWeights weights;
  weights.gate = find(name + "gate");
  weights.up = find(name + "up");
  weights.down = down.empty() ? down : down.reshaped({down.elements()});
  if (config.bias) {
    weights.gateBias = find(name + "gate_bias");
    weights.upBias = find(name + "up_bias");
    weights.downBias = find(name + "down_bias");
  }
  return weights;
}

void DenseFeedForward::forward(const TensorView& y, const TensorView& x, const ExpertsWeights& weights, Phase phase,
                               Activations& memory) {
  const std::int64_t T = x.shape[0];
  dispatchEveryToken(dispatch_, T, 1);
  saved_ = {};
  if (phase != Phase::generation) saved_ = memory.take({backend_.expertsSavedElements(spec_, T)}, x.dtype);
  backend_.experts(y, saved_, x, dispatch_, spec_, weights, {}, true);
}

void DenseFeedForward::backward(const TensorView& dx, const ExpertsWeights& gradients, const TensorView& dy,
                                const TensorView& x, const ExpertsWeights& weights, Gradients mode) {
  backend_.expertsBackward(dx, gradients, {}, dy, x, saved_, dispatch_, spec_, weights, {}, mode);
}

}  // namespace moe
