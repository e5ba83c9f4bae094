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

/// Every random draw of the pipeline, as tensors on the host: Philox fills them in training, a file in a test. Empty:
/// that stage is off or the phase does not draw.
struct RoutingDraws {
  TensorView inputJitter;   // (T, D) the factor itself, U(1-eps, 1+eps)
  TensorView noise;         // (T, E) N(0,1)
  TensorView keepExpert;    // (E)    1 = kept, 0 = masked (whole-expert dropout)
  TensorView randomSecond;  // (T)    u
  TensorView forceToken;    // (T)    u
  TensorView forceExpert;   // (T)    v
};

/// (E) selection biases to read: f32 in training, f64 where a file gives them exactly.
class BiasView {
 public:
  BiasView() = default;
  BiasView(std::span<const float> values) : f32_(values) {}
  BiasView(std::span<const double> values) : f64_(values) {}
  BiasView(const std::vector<float>& values) : f32_(values) {}
  BiasView(const std::vector<double>& values) : f64_(values) {}
  bool empty() const { return size() == 0; }
  std::size_t size() const { return f32_.size() + f64_.size(); }
  double operator[](std::size_t e) const { return f64_.empty() ? static_cast<double>(f32_[e]) : f64_[e]; }

 private:
  std::span<const float> f32_;
  std::span<const double> f64_;
};

/// Ranking values of a sequence's earlier positions: what expert choice compares with while text is generated.
struct RankingHistory {
  std::int64_t positions = 0;
  std::vector<double> ranking;  // (positions, E)
};

/// Which balance terms `routeBackward` differentiates: all with their coefficients, none, or (an index from 0) one
/// term alone, without coefficient and without lossScale.
inline constexpr int kAllBalanceTerms = -1;
inline constexpr int kNoBalanceTerms = -2;

/// What one layer's routing reads.
struct RoutingInput {
  TensorView x;            // (T, D); empty where `givenLogits` is set
  TensorView givenLogits;  // (T, E) instead of x and weights: the logits stage is skipped
  RouterWeights weights;
  BiasView selectionBias;          // (E) or empty
  TensorView deviceSelectionBias;  // (E) f32 instead, where the backend's device holds it
  RoutingDraws draws;
  std::span<const std::int32_t> tokenIds;   // (T), hash only
  std::span<const std::int32_t> hashTable;  // (V), hash only
  std::int64_t sequences = 1;               // T = sequences * S
  Phase phase = Phase::training;
  std::int64_t step = 0, totalSteps = 1;   // annealing and force
  double lossScale = 1;                    // backward: the balance terms are multiplied by it
  int balanceGradient = kAllBalanceTerms;  // backward
  RankingHistory* history = nullptr;       // expert choice, generation: read, then extended by this batch
  std::int64_t trainingGroupTokens = 0;    // expert choice, generation: S of training; 0: this batch's own

  /// Whichever of the two biases there is, for stages on the host.
  BiasView hostSelectionBias() const {
    return deviceSelectionBias.empty() ? selectionBias : std::span<const float>(deviceSelectionBias.span<float>());
  }
};

/// Value of one balance term for one layer, without its coefficient.
struct BalanceValue {
  double value = 0;
};

/// Sums behind one balance term of one layer: written by the forward, completed by `finishBalance`, read by backward.
/// A group is what the term averages over: one, the sequences, or the capacity groups.
struct BalanceStatistics {
  std::int32_t groups = 1;
  std::vector<double> count;  // (groups, E) c; communication: (devices) tokens that reach the block
  std::vector<double> mean;  // (groups, E) P. importance_cv2: sum of w. load_cv2: sum of Phi. z, entropy: (1) the value
  std::vector<double> slope;  // like mean: d value / d mean
};

/// Gradients that backward leaves, in x's dtype. `logits` and `noiseLogits` are what the two matrix products start from.
struct RoutingGradients {
  Tensor logits;       // (T, E) of z before noise
  Tensor noiseLogits;  // (T, E) of x W_noise^T; empty without learned noise
  Tensor noisyLogits;  // (T, E) of z'; empty unless weights read z'
  Tensor deviation;    // (T, E) of the noise's deviation; empty unless weights read z'
  Tensor scores;       // (T, E)
  Tensor weight;       // (T, slots)
};

/// Room that the stages use within a call; nothing to read.
struct RoutingScratch {
  std::vector<std::int32_t> order, used, rank;
  std::vector<double> sums;
};

/// What the pipeline computed for one layer and batch: the inspector, the metrics and backward all read it here.
/// Tensors have x's dtype unless said otherwise. Kept between steps; resized only when T, E or k change.
/// slots: k; 1 for hash and assignment; E for top_p (descending score), `all` and expert_choice (column = expert).
struct Routing {
  std::int64_t tokens = 0;              // T
  std::int32_t experts = 0, slots = 0;  // E, columns of the (T, slots) tables
  DType dtype = DType::f32;
  Tensor routerInput;                                // (T, D) x * jitter; empty without jitter
  Tensor logits;                                     // (T, E) z, before noise; empty for hash
  Tensor noiseLogits;                                // (T, E) x W_noise^T; empty without learned noise
  Tensor noiseDeviation;                             // (T, E) annealed; empty without noise
  Tensor noisyLogits;                                // (T, E) z'; empty without noise
  Tensor scores;                                     // (T, E) s, as weigh reads them; empty for hash
  Tensor ranking;                                    // (T, E) r, -inf outside the kept groups; empty for hash
  Tensor groupScores;                                // (T, groups) best r of each expert group; empty without groups
  TransportPlan transport;                           // empty unless experts are ranked by it
  std::vector<std::int32_t> groupIndex;              // (T, keep) kept groups, descending
  std::vector<std::int32_t> beforeForce;             // (T, slots) selection before `force`; empty where it is off
  std::vector<std::int32_t> asked;                   // (T, slots) selected experts after set edits; -1 unused
  std::vector<std::uint8_t> wantsSlot;               // (T, slots) 0: random_second did not ask for it
  Tensor askedWeight;                                // (T, slots) w before capacity
  std::vector<std::int32_t> position;                // (T, slots) place in the expert's buffer; -1 not admitted / none
  std::vector<std::int32_t> final;                   // (T, slots) experts after capacity; -1 where none
  Tensor finalWeight;                                // (T, slots)
  std::vector<std::int32_t> expertTokens;            // (E, C) expert_choice: tokens of each expert, descending r; -1
  std::vector<std::int32_t> unadjusted;              // (T, k) top k of s alone; empty unless a balance term reads it
  std::vector<double> logSumExp;                     // (T) of z before noise; empty unless a z term reads it
  std::vector<std::int64_t> load;                    // (E) asked assignments: c
  std::int64_t capacitySlots = 0;                    // C; 0 when dropless
  std::int64_t dropped = 0, skipped = 0;             // assignments
  Dispatch dispatch;                                 // what the experts consume
  std::vector<BalanceValue> balance;                 // one a balance term of the recipe, this layer alone
  std::vector<BalanceStatistics> balanceStatistics;  // one a balance term of the recipe
  bool setChanged = false;                           // capacity changed the set: final weights were weighed anew
  RoutingGradients gradients;
  RoutingScratch scratch;
  std::shared_ptr<DeviceTables> device;  // null: the host has it all

  /// Logits that scores and weights are made of: z', or z where noise reaches the selection only.
  const Tensor& weighedLogits(const Recipe& recipe) const {
    const bool noisy = recipe.perturb.noiseAppliesTo == Recipe::Perturb::AppliesTo::both && !noisyLogits.empty();
    return noisy ? noisyLogits : logits;
  }
};

}  // namespace moe
