#pragma once
#include <cstdint>
#include <vector>

#include "core/router/experts.h"
#include "core/tensor/tensor.h"

namespace moe {

/// A bank of E feed-forward networks.
struct ExpertsSpec {
  ExpertKind kind = ExpertKind::glu;
  Activation activation = Activation::silu;
  std::int64_t width = 0;             // D
  std::int64_t outputWidth = 0;       // O
  std::vector<std::int64_t> hidden;   // F_e, one an expert; H = their sum. linear: all 0
  double alpha = 1.702, limit = 7.0;  // clampedGlu
  bool weightOnInput = false;         // y += FFN(w x) instead of y += w FFN(x)
  double dropout = 0;                 // q on the hidden activation: h * keep / (1 - q)

  std::int64_t experts() const { return static_cast<std::int64_t>(hidden.size()); }
  /// Sum of the hidden widths of experts before e.
  std::int64_t hiddenBegin(std::int64_t e) const {
    std::int64_t sum = 0;
    for (std::int64_t i = 0; i < e; ++i) sum += hidden[static_cast<std::size_t>(i)];
    return sum;
  }
  std::int64_t hiddenTotal() const { return hiddenBegin(experts()); }
};

/// Weights of a bank, or their gradients. Experts of different sizes lie one behind the other, so with equal sizes
/// gate is exactly [E, F, D] and down exactly [E, O, F]. Empty views where the kind has none or bias is off.
struct ExpertsWeights {
  TensorView gate;      // (H, D)           glu
  TensorView up;        // (H, D)           mlp, glu; (2H, D) clampedGlu: even rows gate, odd rows up
  TensorView down;      // (O*H) expert e: [O, F_e] at O*hiddenBegin(e). linear: (E, O, D)
  TensorView gateBias;  // (H)              glu
  TensorView upBias;    // (H), (2H) for clampedGlu
  TensorView downBias;  // (E, O)
};

}  // namespace moe
