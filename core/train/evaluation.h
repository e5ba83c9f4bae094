#pragma once
#include <cstdint>
#include <functional>

#include "core/base/progress.h"
#include "core/data/corpus.h"
#include "core/model/model.h"

namespace moe {

inline constexpr std::int64_t kValidationTokens = 80'000;

/// Tokens with a target that a loss over at most `maxTokens` held-out ones is the mean of.
std::int64_t heldOutTargets(const Corpus& corpus, std::int64_t length, std::int64_t maxTokens);

struct HeldOutLoss {
  double loss = 0;          // mean, nats a token
  std::int64_t tokens = 0;  // that have a target
};

/// The loss over at most `maxTokens` of the held-out split, the same ones every time (Corpus::heldOutWindows);
/// `sequences` at a time, which is what capacity counts slots from. `batch` is room that callers keep. Draws nothing.
/// `seen` is called after each batch, while the model still holds its routing. Throws Error("data") where no text is held
/// out, and what `progress` throws.
HeldOutLoss heldOutLoss(Model& model, const Corpus& corpus, Batch& batch, std::int64_t sequences,
                        std::int64_t maxTokens, PassSettings settings = {}, const std::function<void()>& seen = {},
                        const Progress& progress = {});

}  // namespace moe
