#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/router/declarations.h"

namespace moe {

struct BalanceTerm {
  std::string name;
  enum class Kind { load, device, communication, z, entropy, importanceCv2, loadCv2 } kind = Kind::load;
  double coefficient = 0;  // 0: measured, not trained on
  enum class Normalisation { unit, perToken, mean } normalisation = Normalisation::unit;
  enum class Counts { all, first } counts = Counts::all;
  enum class CountsFrom { selected, unadjusted } countsFrom = CountsFrom::selected;
  enum class Scope { microBatch, globalBatch, sequence, tokenGroup } scope = Scope::microBatch;
  enum class Layers { separate, mean, concatenated } layers = Layers::separate;
  int devices = 0, maxDevices = 0;
  double epsilon = 1e-10;  // the CV^2 kinds only
  bool operator==(const BalanceTerm&) const = default;
};

/// What a person can set of a term, and what is said of it.
const SettingTable<BalanceTerm>& balanceRows();
SettingList<Recipe> balanceList();

/// Assignments of a whole optimiser step, for terms of scope global_batch. Only the counts must be known before
/// backward: P enters linearly, so each micro-batch contributes its own.
class GlobalBatchStatistics {
 public:
  void clear();
  /// Adds the counts of one micro-batch, after its forward. Layers and terms must stay the same until `clear`.
  void add(std::span<const Routing* const> layers, const Recipe& recipe);
  /// Everything that other processes would sum: counts by (layer, term, E), then tokens.
  std::span<double> values() { return values_; }
  bool empty() const { return values_.empty(); }
  /// Count of expert e of term `term` in layer `layer`, and the tokens behind it.
  std::span<const double> counts(std::size_t layer, std::size_t term) const;
  double tokens() const { return values_.empty() ? 0 : values_.back(); }

 private:
  std::size_t terms_ = 0, experts_ = 0;
  std::vector<double> values_;
};

/// What the balance terms add to the loss, without lossScale: coefficient * value, over layers. `mean` and
/// `concatenated` terms are one value for all layers and are added once.
struct BalanceTotals {
  double loss = 0;            // of every term
  double zLoss = 0;           // of the z terms alone
  std::vector<double> value;  // one a term: its mean over layers, or its one value; no coefficient
};

/// Between the forward of all layers and backward: completes the values (Routing::balance) and the slopes backward
/// reads. The layers share one recipe; a model with several calls it once a recipe. A layer that only takes part in the
/// statistics (its backward is never called) is a constant. `global`: null means that the micro-batch is the batch.
BalanceTotals finishBalance(std::span<Routing* const> layers, const Recipe& recipe,
                            const GlobalBatchStatistics* global = nullptr);

/// Forward of the stage: counts and sums of each term, and the values as if this layer stood alone.
template <class S>
void balanceForward(Routing& routing, const Recipe& recipe, const RoutingInput& input);

/// What balanceBackward wrote to, so that later stages skip what is zero.
struct BalanceTouched {
  bool scores = false, weights = false;
};
/// Adds the terms' gradients to routing.gradients; those of weights (importance_cv2) to dAskedWeight (T, slots).
template <class S>
BalanceTouched balanceBackward(Routing& routing, const Recipe& recipe, const RoutingInput& input, S* dAskedWeight);

}  // namespace moe
