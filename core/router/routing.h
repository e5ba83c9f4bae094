#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/router/dispatch.h"
#include "core/router/recipe.h"
#include "core/tensor/tensor.h"

namespace moe {

/// The router's own parameters, or their gradients. Empty where the recipe has none.
struct RouterWeights {
  TensorView weight;       // (E, D)  logits.weight
  TensorView bias;         // (E)     logits.bias
  TensorView noiseWeight;  // (E, D)  perturb.noise.weight
};

/// Every random draw of the pipeline, as tensors: Philox fills them in training, a file in a test. Empty: that stage
/// is off or the phase does not draw.
struct RoutingDraws {
  TensorView inputJitter;   // (T, D) the factor itself, U(1-eps, 1+eps)
  TensorView noise;         // (T, E) N(0,1)
  TensorView keepExpert;    // (E)    1 = kept, 0 = masked (whole-expert dropout)
  TensorView randomSecond;  // (T)    u
  TensorView forceToken;    // (T)    u
  TensorView forceExpert;   // (T)    v
};

/// What one layer's routing reads.
struct RoutingInput {
  TensorView x;                                     // (T, D); empty where `givenLogits` is set
  TensorView givenLogits;                           // (T, E) instead of x and weights: the logits stage is skipped
  RouterWeights weights;
  std::span<const float> selectionBias;             // (E) or empty
  RoutingDraws draws;
  std::span<const std::int32_t> tokenIds;           // (T), hash only
  std::span<const std::int32_t> hashTable;          // (V), hash only
  std::int64_t sequences = 1;                       // T = sequences * S
  Phase phase = Phase::training;
  std::int64_t step = 0, totalSteps = 1;            // annealing and force
};

/// Value of one balance term for one layer, without its coefficient.
struct BalanceValue {
  double value = 0;
};

/// What the pipeline computed for one layer and batch: the inspector, the metrics and backward all read it here.
/// Tensors have x's dtype unless said otherwise. Kept between steps; resized only when T, E or k change.
struct Routing {
  std::int64_t tokens = 0;                          // T
  std::int32_t experts = 0, slots = 0;              // E, columns of the (T, slots) tables
  Tensor routerInput;                               // (T, D) x * jitter; empty without jitter
  Tensor logits;                                    // (T, E) z, before noise
  Tensor noiseDeviation;                            // (T, E) annealed; empty without noise
  Tensor noisyLogits;                               // (T, E) z'; empty without noise
  Tensor scores;                                    // (T, E) s, as weigh reads them
  Tensor ranking;                                   // (T, E) r, -inf outside the kept groups
  std::vector<std::int32_t> asked;                  // (T, slots) selected experts after set edits; -1 unused
  std::vector<std::uint8_t> wantsSlot;              // (T, slots) 0: random_second did not ask for it
  Tensor askedWeight;                               // (T, slots) w before capacity
  std::vector<std::int32_t> position;               // (T, slots) place in the expert's buffer; -1 not admitted / none
  std::vector<std::int32_t> final;                  // (T, slots) experts after capacity; -1 where none
  Tensor finalWeight;                               // (T, slots)
  std::vector<std::int64_t> load;                   // (E) asked assignments: c
  std::int64_t capacitySlots = 0;                   // C; 0 when dropless
  std::int64_t dropped = 0, skipped = 0;            // assignments
  Dispatch dispatch;                                // what the experts consume
  std::vector<BalanceValue> balance;                // one a balance term of the recipe, this layer alone
};

}  // namespace moe
