#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/backend/ops/gradients.h"
#include "core/data/corpus.h"
#include "core/model/config.h"
#include "core/model/moe_layer.h"
#include "core/model/parameters.h"
#include "core/router/balance.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"
#include "core/telemetry/points.h"

namespace moe {

class Backend;

/// What one pass is run under.
struct PassSettings {
  Phase phase = Phase::training;
  std::int64_t step = 0, totalSteps = 1;               // annealing and force
  std::uint64_t seed = 0;                              // draws
  bool recompute = false;                              // backward computes each layer again instead of having kept it
  std::uint32_t firstToken = 0;                        // global index of the batch's first token (micro-batches)
  const GlobalBatchStatistics* globalBatch = nullptr;  // counts of all micro-batches; null: this batch is all
  BalancerWatch watch = BalancerWatch::off;            // with gradients only
  Gradients gradients = Gradients::add;                // to what is there, or instead of it
  bool languageOnly = false;                           // the balance terms have no gradient in this pass
};

/// Where a pass that is asked for leaves its sums, f64 on the backend's device.
struct PassTotals {
  TensorView loss;     // (1) over unmasked targets, nats
  TensorView balance;  // (2 + Model::balanceTerms()) as Backend::finishBalance; may be empty where there is no term
};

struct LossSums {
  double loss = 0;  // sum over unmasked targets, nats under the prediction
  double objective =
      0;  // what is minimised beside the balance terms: the same, or a mixture head's weighted losses in training
  std::int64_t targets = 0;
  double auxLoss = 0, zLoss = 0;  // coefficient * value, summed over layers
  std::vector<double> balance;    // one a balance term: its mean over layers, or its one value
};

/// A decoder-only transformer on one backend: parameters, activations, forward beside backward. Belongs to the
/// backend's thread. f32, or f64 on the reference backend.
class Model {
 public:
  Model(Backend& backend, ModelConfig config, DType dtype, bool training);
  ~Model();

  /// Fresh weights and hash tables: counter-based, so they depend on the seed and a segment's name order alone. A model
  /// that is about to be loaded is initialised first too: hash tables are not saved, the seed makes them again.
  void initialise(std::uint64_t seed);

  const ModelConfig& config() const;
  /// Replaces settings that keep every shape (coefficients, k, capacity, noise ...). Asserts that shapes agree.
  void reconfigure(const ModelConfig& config);
  Backend& backend();
  Parameters& parameters();
  const Parameters& parameters() const;
  /// Router biases of a layer, (E); empty where it has none. Not gradient parameters. Reading waits.
  std::vector<float> selectionBias(std::size_t layer) const;
  void setSelectionBias(std::size_t layer, std::span<const float> values);
  /// The same on the backend's device, f32: of a layer, or of all of them in one piece (empty without any).
  TensorView selectionBiasView(std::size_t layer) const;
  TensorView selectionBiases() const;
  /// Tokens of a training pass, from which expert choice that looks back counts its capacity (recipe.md, "past"). A training
  /// pass says so itself; a model that is loaded to be used has to be told.
  void setTrainingTokens(std::int64_t tokens);
  /// Evaluation and generation select nothing of a layer's experts where `kept` (E) is 0; empty: all take part again.
  void keepOnly(std::size_t layer, std::span<const std::uint8_t> kept);

  /// Forward; with gradients: backward too, adding to the parameters' gradients or overwriting all of them. The loss
  /// differentiated is the mean over the batch's targets times lossScale, plus the balance terms times lossScale.
  LossSums forwardBackward(const Batch& batch, const PassSettings& settings, double lossScale);
  LossSums forward(const Batch& batch, const PassSettings& settings);
  /// forwardBackward without waiting for it: its sums go to `out`. Returns the batch's targets.
  std::int64_t askForwardBackward(const PassTotals& out, const Batch& batch, const PassSettings& settings,
                                  double lossScale);
  /// Terms of the recipe that PassTotals::balance counts.
  std::size_t balanceTerms() const;
  /// Loss of each target of the last pass, nats: (T). Waits.
  std::span<const float> tokenLosses() const;
  /// Logits of the last `forward` (not overwritten there): (T, V), f32 or f64, on the backend's device. Of a mixture
  /// head: the log of what it predicts, outside of training.
  TensorView logits() const;
  /// Bytes that the largest pass so far took for activations: one allocation, from the second pass on.
  std::int64_t activationBytes() const;
  /// One an expert layer, in order, as the host sees it; valid until the next pass. The first look at a pass waits.
  std::span<const Routing* const> routing() const;
  /// The same for the backend's operations, which need no look.
  std::span<Routing* const> askedRouting() const;
  /// One an expert layer, of the passes since PassSettings::watch began; zeros where a router has no weights. A mixture
  /// head's is not measured.
  std::vector<BalancerGradient> balancerGradients() const;
  /// Norms of the gradients that now lie on the routers' weights, one an expert layer in the blocks. Both wait.
  std::vector<double> routerGradients() const;
  /// Index in config().layers of each expert layer; kHeadLayer, the last, for a mixture head.
  std::span<const int> expertLayers() const;
  const Recipe& recipeOf(std::size_t expertLayer) const;

  /// Generation: a cache for one sequence, and the logits (V) of the next token after `id` at `position`, which counts
  /// from 0 and stays below the context. `routing()` then holds that token's. A cache must not outlive its model.
  struct Cache;
  std::unique_ptr<Cache, void (*)(Cache*)> makeCache();
  TensorView next(Cache& cache, std::int32_t id, std::int64_t position);  // (V) on the backend's device

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace moe
