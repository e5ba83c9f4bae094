#pragma once
#include "core/train/layer_statistics.h"
#include "core/train/optimizer.h"
#include "core/train/reduce.h"
#include "core/train/trainer.h"

namespace moe {

/// What the members of Trainer share across its files.
struct Trainer::Impl {
  /// Sums over the step's whole batch.
  struct Totals {
    double loss = 0, targets = 0, auxLoss = 0, zLoss = 0;
    std::vector<double> balance;  // one a term
  };

  Impl(Backend& backend, RunConfig config, std::shared_ptr<const Corpus> corpus);

  const Recipe& recipe(std::size_t expertLayer) const;
  PassSettings settingsOf(int microBatch) const;
  void draw(int microBatch);
  bool countsAreGlobal() const;
  /// Counts of all micro-batches before any is differentiated: a forward pass more.
  void countGlobalBatch();
  Totals differentiate();
  /// The same pass without the balance terms, of which only the norms on the routers are kept: languageGradients.
  void differentiateLanguage();
  PassSettings settingsOf(int microBatch, bool global) const;
  /// Whether this step also measures what the balance terms do to the routers, and what the language loss does alone.
  bool watchesBalancer() const;
  bool watchesLanguage() const { return watchesBalancer() && done % kLanguageEvery == 0; }
  std::vector<LayerPoint> layerPoints(bool watched) const;
  /// Held-out sequences spread over the whole split, the same for the whole run.
  void drawStudy(Batch& out, std::int64_t first, std::int64_t sequences) const;
  void summarise(std::size_t expertLayer);
  void updateSelectionBiases();

  Backend& backend;
  RunConfig config;
  std::shared_ptr<const Corpus> corpus;
  Model model;
  Optimizer optimizer;
  Tensor loss;
  Reduce reduce;
  std::int64_t done = 0;  // optimiser steps
  Batch batch;
  std::vector<LayerStatistics> layers;  // expert layers
  GlobalBatchStatistics globalBatch;
  bool measuring = true;
  std::vector<double> languageGradients;  // (layers of experts) of the last look
  std::vector<std::vector<std::int64_t>> validationCounts;  // (expert layers) of (E), of the last evaluation
  std::int64_t validatedStep = -1;
};

}  // namespace moe
