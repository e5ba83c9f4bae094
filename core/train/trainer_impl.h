#pragma once
#include <array>
#include <deque>

#include "core/backend/backend.h"
#include "core/train/layer_statistics.h"
#include "core/train/optimizer.h"
#include "core/train/step_results.h"
#include "core/train/trainer.h"

namespace moe {

/// What the members of Trainer share across its files.
struct Trainer::Impl {
  /// A step that was asked for: what the host knows of it already.
  struct Asked {
    std::size_t turn = 0;  // which of the two host rows gets its numbers, and which copy the biases before it
    Ticket ticket = 0;
    double learningRate = 0, targets = 0;
    std::int64_t tokens = 0;
    bool measuring = false;
    std::vector<BalancerGradient> balancer;  // (expert layers in the blocks) where it was looked at; else empty
    std::vector<double> language;            // likewise
  };

  Impl(Backend& backend, RunConfig config, std::shared_ptr<const Corpus> corpus,
       std::shared_ptr<Collective> collective);

  const Recipe& recipe(std::size_t expertLayer) const;
  /// Steps done when the next one is asked for.
  std::int64_t next() const { return done + static_cast<std::int64_t>(asked.size()); }
  PassSettings settingsOf(int microBatch) const;
  void draw(int microBatch);
  bool countsAreGlobal() const;
  /// Counts of all micro-batches before any is differentiated: a forward pass more.
  void countGlobalBatch();
  void fitResults();
  /// Asks for the step's gradients; losses, balance and summaries go to `results`.
  void differentiate(Asked& step);
  /// The same pass without the balance terms, of which only the norms on the routers are kept.
  std::vector<double> differentiateLanguage();
  PassSettings settingsOf(int microBatch, bool global) const;
  /// Whether the next step also measures what the balance terms do to the routers, and what the language loss does
  /// alone.
  bool watchesBalancer() const;
  bool watchesLanguage() const { return watchesBalancer() && next() % kLanguageEvery == 0; }
  std::vector<LayerPoint> layerPoints(const Asked& step) const;
  /// Held-out windows for whole batches, the same for the whole run.
  std::vector<HeldOutWindow> studyWindows() const;
  /// (T, slots) of a layer's last routing.
  std::vector<double> askedWeights(std::size_t expertLayer) const;
  /// Adds the routing that the model holds to validationLoads.
  void countValidation();
  void summarise(std::size_t expertLayer, int microBatch);
  void updateSelectionBiases(std::size_t turn);
  void updateParameters(const Asked& step);
  /// Forgets the steps on their way and undoes what they did to the biases; nothing else moved.
  void undo(const Asked& first);

  Backend& backend;
  RunConfig config;
  std::shared_ptr<const Corpus> corpus;
  Model model;
  Optimizer optimizer;
  std::shared_ptr<Collective> collective;
  std::int64_t done = 0;  // optimiser steps
  std::deque<Asked> asked;
  std::size_t turn = 0;  // of the next step
  StepResults results;
  /// (1) f64, the sum of all losses and norms since the last trouble: not finite from a step that went wrong on, so that
  /// neither it nor those asked for behind it move anything.
  Tensor health;
  Tensor summaryRoom;                // f64, of one micro-batch
  std::array<Tensor, 2> biasBefore;  // the selection biases before the steps of either turn
  Batch batch;
  std::vector<LayerStatistics> layers;  // expert layers, of the last step collected
  GlobalBatchStatistics globalBatch;
  bool measuring = true;
  std::vector<std::vector<double>>
      validationLoads;  // (expert layers) of (E), of the last evaluation: as LayerPoint::load counts
  std::int64_t validatedStep = -1;
};

}  // namespace moe
