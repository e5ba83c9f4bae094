#include "core/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/error.h"
#include "core/router/bias_update.h"
#include "core/train/freezing.h"
#include "core/train/schedule.h"
#include "core/train/trainer_impl.h"

namespace moe {
namespace {

RunConfig checked(RunConfig config, const Corpus& corpus) {
  config.model.vocabulary = corpus.tokenizer().vocabulary();
  const std::vector<Problem> found = problems(config);
  if (!found.empty()) throw Error("config", found.front().path + ": " + found.front().sentence);
  corpus.requireBatch(config.train.batch, config.model.context);
  return config;
}

DType storedType(const RunConfig& config) {
  return config.computeType == DType::f64 ? DType::f64 : DType::f32;
}

}  // namespace

Trainer::Impl::Impl(Backend& theBackend, RunConfig theConfig, std::shared_ptr<const Corpus> theCorpus)
    : backend(theBackend),
      config(checked(std::move(theConfig), *theCorpus)),
      corpus(std::move(theCorpus)),
      model(backend, config.model, storedType(config), true),
      optimizer(backend, model.parameters()),
      loss(backend.allocate({1}, DType::f64)),
      layers(model.expertLayers().size()) {
  model.initialise(config.seed);
  freeze(model, config.train);
}

const Recipe& Trainer::Impl::recipe(std::size_t expertLayer) const {
  return model.recipeOf(expertLayer);
}

PassSettings Trainer::Impl::settingsOf(int microBatch) const {
  PassSettings settings;
  settings.step = done;
  settings.totalSteps = config.train.steps;
  settings.seed = config.seed;
  settings.recompute = config.train.recompute;
  settings.firstToken = static_cast<std::uint32_t>(microBatch * config.train.batch * config.model.context);
  return settings;
}

void Trainer::Impl::draw(int microBatch) {
  corpus->drawTraining(batch, config.seed, done, microBatch, config.train.batch, config.model.context);
}

bool Trainer::Impl::countsAreGlobal() const {
  if (config.train.microBatches == 1 || layers.empty()) return false;
  return std::ranges::any_of(recipe(0).balance, [](const Recipe::BalanceTerm& term) {
    return term.scope == Recipe::BalanceTerm::Scope::globalBatch;
  });
}

void Trainer::Impl::countGlobalBatch() {
  globalBatch.clear();
  for (int micro = 0; micro < config.train.microBatches; ++micro) {
    draw(micro);
    model.forward(batch, settingsOf(micro));
    globalBatch.add(model.routing(), recipe(0));
  }
  reduce.sum(globalBatch.values());
}

PassSettings Trainer::Impl::settingsOf(int microBatch, bool global) const {
  PassSettings settings = settingsOf(microBatch);
  settings.globalBatch = global ? &globalBatch : nullptr;
  return settings;
}

void Trainer::Impl::differentiateLanguage() {
  const bool global = countsAreGlobal();
  for (int micro = 0; micro < config.train.microBatches; ++micro) {
    draw(micro);
    PassSettings settings = settingsOf(micro, global);
    settings.languageOnly = true;
    settings.gradients = micro == 0 ? Gradients::overwrite : Gradients::add;
    model.forwardBackward(batch, settings, 1.0 / config.train.microBatches);
  }
  reduce.sum(model.parameters().gradientArena());
  languageGradients = model.routerGradients();
}

Trainer::Impl::Totals Trainer::Impl::differentiate() {
  Totals totals;
  const bool global = countsAreGlobal();
  if (global) countGlobalBatch();
  if (watchesLanguage()) differentiateLanguage();
  for (LayerStatistics& layer : layers) layer.clear();
  const double share = 1.0 / config.train.microBatches;
  for (int micro = 0; micro < config.train.microBatches; ++micro) {
    draw(micro);
    PassSettings settings = settingsOf(micro, global);
    if (watchesBalancer()) settings.watch = micro == 0 ? BalancerWatch::begin : BalancerWatch::goOn;
    settings.gradients = micro == 0 ? Gradients::overwrite : Gradients::add;
    const LossSums sums = model.forwardBackward(batch, settings, share);
    totals.loss += sums.loss;
    totals.targets += static_cast<double>(sums.targets);
    totals.auxLoss += share * sums.auxLoss;
    totals.zLoss += share * sums.zLoss;
    totals.balance.resize(sums.balance.size());
    for (std::size_t i = 0; i < sums.balance.size(); ++i) totals.balance[i] += share * sums.balance[i];
    for (std::size_t i = 0; i < layers.size(); ++i) summarise(i);
  }
  double sums[] = {totals.loss, totals.targets};
  reduce.sum(sums);
  reduce.sum(model.parameters().gradientArena());
  totals.loss = sums[0];
  totals.targets = sums[1];
  return totals;
}

void Trainer::Impl::summarise(std::size_t expertLayer) {
  const Recipe& recipe = this->recipe(expertLayer);
  const Routing& routing = *model.routing()[expertLayer];
  const Tensor row = backend.allocate({RoutingSummary::size(routing.experts, recipe.balance.size())}, DType::f64);
  backend.summarise(row, routing, recipe, measuring);
  layers[expertLayer].add({row.span<double>(), routing.experts}, recipe, routing.tokens, measuring);
}

void Trainer::Impl::updateSelectionBiases() {
  if (!config.train.routerLearns()) return;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& rule = recipe(i).adjust.selectionBias;
    if (!rule) continue;
    const TensorView bias = model.selectionBiasView(static_cast<std::size_t>(model.expertLayers()[i]));
    const Tensor counts = hostTensor(bias.shape, DType::f64);
    std::ranges::copy(layers[i].counts(), counts.as<double>());
    backend.updateSelectionBias(bias, counts, *rule);
  }
}

Trainer::Trainer(Backend& backend, RunConfig config, std::shared_ptr<const Corpus> corpus)
    : impl_(std::make_unique<Impl>(backend, std::move(config), std::move(corpus))) {}
Trainer::~Trainer() = default;

StepPoint Trainer::step() {
  Impl& run = *impl_;
  const Impl::Totals totals = run.differentiate();
  StepPoint point;
  point.step = run.done + 1;
  point.loss = totals.loss / totals.targets;
  point.auxLoss = totals.auxLoss;
  point.zLoss = totals.zLoss;
  point.learningRate = learningRateAt(run.config.train, run.done);
  run.backend.fill(run.loss, totals.loss / totals.targets);
  run.optimizer.step(run.model.parameters(), run.config.train, point.learningRate, run.done + 1, run.loss);
  point.gradientNorm = run.backend.read(run.optimizer.update()).span<double>()[0];
  point.balance.assign(totals.balance.begin(), totals.balance.end());
  point.layers = run.layerPoints(run.watchesBalancer());
  if (!std::isfinite(point.loss) || !std::isfinite(point.gradientNorm)) {
    if (std::isfinite(point.loss)) point.loss = std::numeric_limits<double>::quiet_NaN();
    return point;
  }
  run.updateSelectionBiases();
  run.backend.synchronize();
  ++run.done;
  return point;
}

double Trainer::evaluate(std::int64_t maxTokens) {
  Impl& run = *impl_;
  run.validationCounts.assign(run.layers.size(), {});
  run.validatedStep = run.done;
  const auto count = [&run] {
    for (std::size_t i = 0; i < run.layers.size(); ++i) {
      const std::vector<std::int64_t>& load = run.model.routing()[i]->load;
      run.validationCounts[i].resize(load.size());
      for (std::size_t e = 0; e < load.size(); ++e) run.validationCounts[i][e] += load[e];
    }
  };
  return heldOutLoss(run.model, *run.corpus, run.batch, run.config.train.batch, maxTokens, run.settingsOf(0), count).loss;
}

std::int64_t Trainer::stepsDone() const {
  return impl_->done;
}
const RunConfig& Trainer::config() const {
  return impl_->config;
}
Model& Trainer::model() {
  return impl_->model;
}
const Corpus& Trainer::corpus() const {
  return *impl_->corpus;
}
std::span<const Routing* const> Trainer::lastRouting() const {
  return impl_->model.routing();
}

std::optional<ModelSize> Trainer::routedSize() const {
  std::vector<std::vector<double>> admitted;
  for (const LayerStatistics& layer : impl_->layers) admitted.push_back(layer.admittedPerToken());
  if (admitted.empty() || admitted.front().empty()) return std::nullopt;
  return sizeOf(config().model, admitted);
}

bool Trainer::validationDue() const {
  const int every = config().train.validateEvery;
  return finished() || (every > 0 && stepsDone() > 0 && stepsDone() % every == 0);
}

void Trainer::set(const std::string& path, const std::string& value) {
  if (!changesLive(path))
    throw Error("config", path + ": expected a setting that may change while the run trains; this one needs a new run");
  RunConfig changed = config();
  setByPath(changed, path, value);
  const std::vector<Problem> found = problems(changed);
  if (!found.empty()) throw Error("config", found.front().path + ": " + found.front().sentence);
  if (!sameSegments(changed.model, config().model))
    throw Error("config",
                path + ": " + value + " needs weights that this model does not have; start a new run with it");
  if (changed.threads != config().threads) {
    impl_->backend.setThreads(changed.threads);
    changed.threads = impl_->backend.threads();
  }
  impl_->config = std::move(changed);
  impl_->model.reconfigure(impl_->config.model);
  freeze(impl_->model, impl_->config.train);
}

}  // namespace moe
