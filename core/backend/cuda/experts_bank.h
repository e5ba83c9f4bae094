#pragma once
#include <algorithm>

#include "core/backend/backend.h"

namespace moe::cuda {

/// How rows of a bank's hidden units lie: as long as the widest expert's, whatever their own.
struct BankLayout {
  std::int64_t widest = 0;     // F
  std::int64_t rawStride = 0;  // numbers before the activation: F, or 2 F of the gated kinds

  explicit BankLayout(const ExpertsSpec& spec) {
    if (spec.kind == ExpertKind::linear || spec.hidden.empty()) return;
    widest = *std::ranges::max_element(spec.hidden);
    rawStride = (spec.kind == ExpertKind::mlp ? 1 : 2) * widest;
  }
};

}  // namespace moe::cuda
