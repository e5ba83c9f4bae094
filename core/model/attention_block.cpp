#include "core/model/attention_block.h"

#include "core/backend/backend.h"

namespace moe {

AttentionBlock::AttentionBlock(Backend& backend, const AttentionConfig& config, double ropeTheta) : backend_(backend) {
  spec_.heads = config.heads;
  spec_.kvHeads = config.kvHeads;
  spec_.headWidth = config.headWidth;
  spec_.ropeTheta = ropeTheta;
}

void AttentionBlock::forward(const TensorView& u, const TensorView& x, const Weights& weights, std::int64_t sequences,
                             Activations& memory) {
  const std::int64_t T = x.shape[0];
  spec_.sequences = sequences;
  spec_.length = T / sequences;
  qkv_ = memory.take({T, spec_.qkvWidth()}, x.dtype);
  mixed_ = memory.take({T, spec_.heads * spec_.headWidth}, x.dtype);
  saved_ = memory.take({backend_.attentionSavedElements(spec_)}, x.dtype);
  backend_.linear(qkv_, x, weights.qkv, {}, false);
  backend_.attention(mixed_, saved_, qkv_, spec_);
  backend_.linear(u, mixed_, weights.output, {}, true);
}

void AttentionBlock::backward(const TensorView& dx, const Weights& gradients, const TensorView& du, const TensorView& x,
                              const Weights& weights, Gradients mode, Activations& memory) {
  const TensorView dMixed = memory.take(mixed_.shape, x.dtype);
  const TensorView dQkv = memory.take(qkv_.shape, x.dtype);
  backend_.linearBackward(dMixed, gradients.output, {}, du, mixed_, weights.output, false, mode);
  backend_.attentionBackward(dQkv, dMixed, mixed_, saved_, qkv_, spec_);
  backend_.linearBackward(dx, gradients.qkv, {}, dQkv, x, weights.qkv, false, mode);
}

void AttentionBlock::next(const TensorView& u, const TensorView& x, const Weights& weights, const KeyValueCache& cache,
                          std::int64_t position, Activations& memory) {
  spec_.sequences = spec_.length = 1;
  qkv_ = memory.take({1, spec_.qkvWidth()}, x.dtype);
  mixed_ = memory.take({1, spec_.heads * spec_.headWidth}, x.dtype);
  backend_.linear(qkv_, x, weights.qkv, {}, false);
  backend_.attentionNext(mixed_, cache, qkv_, spec_, position);
  backend_.linear(u, mixed_, weights.output, {}, true);
}

}  // namespace moe
