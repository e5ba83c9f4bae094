#pragma once
#include "core/experiments/measures.h"
#include "core/train/trainer.h"

namespace moe {

/// How much the held-out loss rises without a part of a trained model that has shared experts; nothing for one that has
/// none. Without a layer's shared experts its tokens take one routed expert more (DeepSeekMoE 2024, section 4.5);
/// without a routed expert they take their next choice. One part at a time.
void measureRemovals(ArmResult& result, Backend& backend, const Trainer& trained);

}  // namespace moe
