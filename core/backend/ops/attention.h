#pragma once
#include <cstdint>

#include "core/tensor/tensor.h"

namespace moe {

/// Causal self-attention over B sequences of S tokens, grouped-query: query head h reads key head h / (heads/kvHeads).
struct AttentionSpec {
  std::int64_t sequences = 1, length = 1;  // B, S
  std::int64_t heads = 1, kvHeads = 1, headWidth = 1;
  double ropeTheta = 0;  // 0: no rotary positions. Else pairs (i, i + headWidth/2) are rotated
  std::int64_t qkvWidth() const { return (heads + 2 * kvHeads) * headWidth; }
};

/// Keys and values of one layer's past, for generation: (capacity, kvHeads, headWidth) each, keys already rotated.
struct KeyValueCache {
  TensorView keys, values;
};

}  // namespace moe
