#pragma once
#include <cstdint>
#include <functional>

#include "core/data/corpus.h"
#include "core/model/model.h"

namespace moe {

inline constexpr std::int64_t kValidationTokens = 80'000;

struct HeldOutLoss {
  double loss = 0;           // mean, nats a token
  std::int64_t tokens = 0;   // that have a target
};

/// The loss over the held-out split from its beginning, at most `maxTokens`; `sequences` at a time, which is what
/// capacity counts slots from. `batch` is room that callers keep. Draws nothing. `seen` is called after each batch, while
/// the model still holds its routing.
HeldOutLoss heldOutLoss(Model& model, const Corpus& corpus, Batch& batch, std::int64_t sequences, std::int64_t maxTokens,
                        PassSettings settings = {}, const std::function<void()>& seen = {});

}  // namespace moe
