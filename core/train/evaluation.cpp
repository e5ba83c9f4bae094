#include "core/train/evaluation.h"

#include <algorithm>

namespace moe {

HeldOutLoss heldOutLoss(Model& model, const Corpus& corpus, Batch& batch, std::int64_t sequences, std::int64_t maxTokens,
                        PassSettings settings, const std::function<void()>& seen) {
  settings.phase = Phase::evaluation;
  const std::int64_t length = model.config().context, most = std::max<std::int64_t>(1, maxTokens / length);
  HeldOutLoss sum;
  for (std::int64_t first = 0; first < most; first += batch.sequences) {
    if (!corpus.heldOutBatch(batch, first, std::min(sequences, most - first), length)) break;
    const LossSums sums = model.forward(batch, settings);
    sum.loss += sums.loss;
    sum.tokens += sums.targets;
    if (seen) seen();
  }
  sum.loss /= static_cast<double>(sum.tokens);
  return sum;
}

}  // namespace moe
