#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/data/corpus.h"
#include "core/model/model.h"
#include "core/parallel/collective.h"
#include "core/router/routing.h"
#include "core/telemetry/points.h"
#include "core/telemetry/study.h"
#include "core/train/evaluation.h"
#include "core/train/run_config.h"
#include "core/train/training_state.h"

namespace moe {

class Backend;

/// Tokens that a study looks at, rounded to whole batches.
inline constexpr std::int64_t kStudyTokens = 2048;
/// Steps from one look at the balance terms' gradients to the next.
inline constexpr std::int64_t kBalancerEvery = 10;
/// Steps from one look at the language loss's gradient on the routers to the next, a multiple of that: it takes a pass of
/// its own, without the balance terms of any layer.
inline constexpr std::int64_t kLanguageEvery = 200;

/// Steps that may be asked for before the first of them is waited for.
inline constexpr int kMostInFlight = 2;

/// One run's training: a step, asked for and collected, and nothing else. No threads, no clock, no I/O. Not thread-safe;
/// uses the backend's thread. tokensPerSecond of the points is filled by whoever holds the clock.
class Trainer {
 public:
  /// Builds and initialises the model from config.seed. Throws Error("config") with the first problem, Error("data") if
  /// the corpus is shorter than one batch.
  Trainer(Backend& backend, RunConfig config, std::shared_ptr<const Corpus> corpus,
          std::shared_ptr<Collective> collective = std::make_shared<OneProcess>());
  ~Trainer();

  /// One optimiser step over config.train.microBatches micro-batches. The point carries loss, balance and routing of the
  /// step; its `run` is 0. If the loss or gradient norm is not finite the parameters are left as they were, the step is
  /// not counted, and the point says so by its non-finite loss.
  StepPoint step();
  /// The same in two halves, so that a device finds the next step waiting when it is done with one. At most kMostInFlight
  /// may be asked for. Collecting waits for the oldest; where that one was not finite those behind it are forgotten.
  /// Everything else that looks at the model or changes it needs all of them collected.
  void enqueue();
  StepPoint collect();
  int inFlight() const;
  /// Forgets what was asked for, where the backend failed: the model is then somewhere amid those steps.
  void abandon();
  /// Whether the backend works on while it is not waited for.
  bool worthRunningAhead() const;

  /// Mean loss in nats a token over the held-out split, at most `maxTokens`. What `progress` throws ends it.
  double evaluate(std::int64_t maxTokens = kValidationTokens, const Progress& progress = {});
  /// MaxVio of the loads over the whole validation, mean of the expert layers ("global" in Wang et al. 2024). The last
  /// evaluate() was at this very step.
  double validationMaxVio() const;
  /// What the expert layers do with a fixed part of the held-out split, about kStudyTokens spread evenly over it, fewer where their
  /// selections are more than kStudiedSelections. Carries
  /// the loads of the whole validation where evaluate() ran at this very step. Its `run` is 0.
  RunStudy study();
  /// Whether points carry health metrics beyond the loads; training itself is the same bit for bit. On at first.
  void setMeasuring(bool on);

  std::int64_t stepsDone() const;
  bool finished() const { return stepsDone() >= config().train.steps; }
  /// Whether the held-out split is to be evaluated after so many steps: every train.validate_every steps, and at the end.
  bool validationDue(std::int64_t step) const;
  const RunConfig& config() const;
  Model& model();
  const Corpus& corpus() const;
  /// What a token of the last step passed, given its routing; nothing before the first step or where nothing is routed.
  std::optional<ModelSize> routedSize() const;
  /// Routing of the last micro-batch, one an expert layer.
  std::span<const Routing* const> lastRouting() const;

  /// Changes a live setting from the next step on (changesLive). Throws Error("config").
  void set(const std::string& path, const std::string& value);

  /// Everything a bit-identical continuation needs. A clone.
  TrainingState state() const;
  /// Throws Error("checkpoint") naming the tensor whose shape or presence does not fit.
  void restore(const TrainingState& state);
  /// The same of tensors that are read one by one. All of them are compared before the first is taken.
  void restore(const StateSource& source);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace moe
