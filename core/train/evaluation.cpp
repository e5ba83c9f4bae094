#include "core/train/evaluation.h"

#include <algorithm>
#include <span>
#include <vector>

namespace moe {

std::int64_t heldOutTargets(const Corpus& corpus, std::int64_t length, std::int64_t maxTokens) {
  std::int64_t targets = 0;
  for (const HeldOutWindow& window : corpus.heldOutWindows(length, maxTokens)) {
    const auto tokens =
        static_cast<std::int64_t>(corpus.domains()[static_cast<std::size_t>(window.domain)].heldOut.size());
    targets += std::min(window.length, tokens - 1 - window.start);
  }
  return targets;
}

HeldOutLoss heldOutLoss(Model& model, const Corpus& corpus, Batch& batch, std::int64_t sequences,
                        std::int64_t maxTokens, PassSettings settings, const std::function<void()>& seen,
                        const Progress& progress) {
  settings.phase = Phase::evaluation;
  corpus.requireHeldOut();
  const std::vector<HeldOutWindow> windows = corpus.heldOutWindows(model.config().context, maxTokens);
  HeldOutLoss sum;
  Steps steps(progress, "validating", static_cast<double>(windows.size()));
  for (std::span<const HeldOutWindow> rest = windows; corpus.heldOutBatch(batch, rest, sequences);) {
    const LossSums sums = model.forward(batch, settings);
    sum.loss += sums.loss;
    sum.tokens += sums.targets;
    if (seen) seen();
    steps.add(static_cast<double>(batch.sequences));
  }
  sum.loss /= static_cast<double>(sum.tokens);
  return sum;
}

}  // namespace moe
