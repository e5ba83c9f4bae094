#include "core/train/trainer.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "core/backend/backend.h"
#include "core/base/error.h"
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
  corpus.requireHeldOut();
  return config;
}

DType storedType(const RunConfig& config) { return config.computeType == DType::f64 ? DType::f64 : DType::f32; }

}  // namespace

Trainer::Impl::Impl(Backend& theBackend, RunConfig theConfig, std::shared_ptr<const Corpus> theCorpus,
                    std::shared_ptr<Collective> theCollective)
    : backend(theBackend),
      config(checked(std::move(theConfig), *theCorpus)),
      corpus(std::move(theCorpus)),
      model(backend, config.model, storedType(config), true),
      optimizer(backend, model.parameters()),
      collective(std::move(theCollective)),
      health(backend.allocate({1}, DType::f64)),
      layers(model.expertLayers().size()) {
  model.initialise(config.seed);
  model.setTrainingTokens(tokensOfPass(config));
  freeze(model, config.train);
}

const Recipe& Trainer::Impl::recipe(std::size_t expertLayer) const { return model.recipeOf(expertLayer); }

PassSettings Trainer::Impl::settingsOf(int microBatch) const {
  PassSettings settings;
  settings.step = next();
  settings.totalSteps = config.train.steps;
  settings.seed = config.seed;
  settings.recompute = config.train.recompute;
  settings.firstToken = static_cast<std::uint32_t>(microBatch * config.train.batch * config.model.context);
  return settings;
}

void Trainer::Impl::draw(int microBatch) {
  corpus->drawTraining(batch, config.seed, next(), microBatch, config.train.batch, config.model.context);
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
  collective->sum(globalBatch.values());
}

PassSettings Trainer::Impl::settingsOf(int microBatch, bool global) const {
  PassSettings settings = settingsOf(microBatch);
  settings.globalBatch = global ? &globalBatch : nullptr;
  return settings;
}

std::vector<double> Trainer::Impl::differentiateLanguage() {
  const bool global = countsAreGlobal();
  for (int micro = 0; micro < config.train.microBatches; ++micro) {
    draw(micro);
    PassSettings settings = settingsOf(micro, global);
    settings.languageOnly = true;
    settings.gradients = micro == 0 ? Gradients::overwrite : Gradients::add;
    model.askForwardBackward({results.loss(micro), results.balance(micro)}, batch, settings,
                             1.0 / config.train.microBatches);
  }
  collective->sum(model.parameters().gradientArena());
  return model.routerGradients();
}

void Trainer::Impl::fitResults() {
  StepResults::Layout layout;
  layout.microBatches = config.train.microBatches;
  layout.terms = static_cast<std::int64_t>(model.balanceTerms());
  std::int64_t largest = 1;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    layout.summaries.push_back(RoutingSummary::size(recipe(i).experts.count, recipe(i).balance.size()));
    largest = std::max(largest, layout.summaries.back());
  }
  results.fit(backend, std::move(layout));
  growTo(backend, summaryRoom, largest);
  const TensorView biases = model.selectionBiases();
  for (Tensor& before : biasBefore)
    if (before.elements() != biases.elements() || before.empty() != biases.empty())
      before = biases.empty() ? Tensor() : backend.allocate(biases.shape, biases.dtype);
}

void Trainer::Impl::differentiate(Asked& step) {
  const bool global = countsAreGlobal();
  if (global) countGlobalBatch();
  if (watchesLanguage()) step.language = differentiateLanguage();
  for (int micro = 0; micro < config.train.microBatches; ++micro) {
    draw(micro);
    PassSettings settings = settingsOf(micro, global);
    if (watchesBalancer()) settings.watch = micro == 0 ? BalancerWatch::begin : BalancerWatch::goOn;
    settings.gradients = micro == 0 ? Gradients::overwrite : Gradients::add;
    const std::int64_t targets = model.askForwardBackward({results.loss(micro), results.balance(micro)}, batch,
                                                          settings, 1.0 / config.train.microBatches);
    step.targets += static_cast<double>(targets);
    step.tokens += batch.tokens();
    for (std::size_t i = 0; i < layers.size(); ++i) summarise(i, micro);
  }
  collective->sum({&step.targets, 1});
  collective->sum(results.losses());
  collective->sum(model.parameters().gradientArena());
}

void Trainer::Impl::summarise(std::size_t expertLayer, int microBatch) {
  const TensorView sum = results.summary(expertLayer);
  const TensorView own = microBatch == 0 ? sum : summaryRoom.view().rows(0, sum.elements());
  backend.summarise(own, *model.askedRouting()[expertLayer], recipe(expertLayer), measuring);
  if (microBatch > 0) backend.add(sum, own);
}

void Trainer::Impl::updateSelectionBiases(std::size_t ofTurn) {
  if (biasBefore[ofTurn].empty()) return;
  backend.copy(biasBefore[ofTurn], model.selectionBiases());
  if (!config.train.routerLearns()) return;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& rule = recipe(i).adjust.selectionBias;
    const TensorView bias = model.selectionBiasView(static_cast<std::size_t>(model.expertLayers()[i]));
    if (!rule || bias.empty()) continue;
    const std::int64_t counts = RoutingSummary::kScalars;
    backend.updateSelectionBias(bias, results.summary(i).rows(counts, counts + bias.elements()), *rule);
  }
}

void Trainer::Impl::updateParameters(const Asked& step) {
  for (int micro = 0; micro < config.train.microBatches; ++micro) backend.add(health, results.loss(micro));
  if (step.targets == 0) backend.fill(health, std::numeric_limits<double>::quiet_NaN());
  optimizer.step(results.update(), model.parameters(), config.train, step.learningRate, next() + 1, health);
  backend.add(health, results.update().rows(0, 1));
}

void Trainer::Impl::undo(const Asked& first) {
  for (const Asked& step : asked) backend.wait(step.ticket);
  asked.clear();
  if (!biasBefore[first.turn].empty()) backend.copy(model.selectionBiases(), biasBefore[first.turn]);
  backend.fill(health, 0);
}

Trainer::Trainer(Backend& backend, RunConfig config, std::shared_ptr<const Corpus> corpus,
                 std::shared_ptr<Collective> collective)
    : impl_(std::make_unique<Impl>(backend, std::move(config), std::move(corpus), std::move(collective))) {}
Trainer::~Trainer() = default;

void Trainer::enqueue() {
  Impl& run = *impl_;
  assert(inFlight() < kMostInFlight);
  run.fitResults();
  Impl::Asked step;
  step.turn = run.turn;
  step.learningRate = learningRateAt(run.config.train, run.next());
  step.measuring = run.measuring;
  const bool watched = run.watchesBalancer();
  run.differentiate(step);
  run.updateParameters(step);
  run.updateSelectionBiases(step.turn);
  run.results.copyToHost(run.backend, step.turn);
  step.ticket = run.backend.submit();
  if (watched) step.balancer = run.model.balancerGradients();
  run.turn = 1 - run.turn;
  run.asked.push_back(std::move(step));
}

StepPoint Trainer::collect() {
  Impl& run = *impl_;
  assert(inFlight() > 0);
  const Impl::Asked step = std::move(run.asked.front());
  run.asked.pop_front();
  run.backend.wait(step.ticket);
  const StepResults& results = run.results;
  const std::int64_t micros = results.layout().microBatches;
  const double share = 1.0 / static_cast<double>(micros);
  StepPoint point;
  point.step = run.done + 1;
  point.learningRate = step.learningRate;
  point.gradientNorm = results.updateOf(step.turn)[0];
  std::vector<double> balance(run.model.balanceTerms());
  for (std::int64_t micro = 0; micro < micros; ++micro) {
    point.loss += results.lossesOf(step.turn)[static_cast<std::size_t>(micro)];
    if (balance.empty()) continue;
    const std::span<const double> terms = results.balanceOf(step.turn, micro);
    point.auxLoss += share * terms[0];
    point.zLoss += share * terms[1];
    for (std::size_t i = 0; i < balance.size(); ++i) balance[i] += share * terms[2 + i];
  }
  point.loss /= step.targets;
  point.balance.assign(balance.begin(), balance.end());
  for (std::size_t i = 0; i < run.layers.size(); ++i) {
    const Recipe& recipe = run.recipe(i);
    run.layers[i].set({results.summaryOf(step.turn, i), recipe.experts.count}, recipe, step.tokens, micros,
                      step.measuring);
  }
  point.layers = run.layerPoints(step);
  if (!std::isfinite(point.loss) || !std::isfinite(point.gradientNorm)) {
    if (std::isfinite(point.loss)) point.loss = std::numeric_limits<double>::quiet_NaN();
    run.undo(step);
    return point;
  }
  ++run.done;
  return point;
}

StepPoint Trainer::step() {
  enqueue();
  return collect();
}

int Trainer::inFlight() const { return static_cast<int>(impl_->asked.size()); }
void Trainer::abandon() { impl_->asked.clear(); }
bool Trainer::worthRunningAhead() const { return impl_->backend.asynchronous(); }

double Trainer::evaluate(std::int64_t maxTokens, const Progress& progress) {
  assert(inFlight() == 0);
  Impl& run = *impl_;
  run.validationLoads.assign(run.layers.size(), {});
  run.validatedStep = -1;
  const double loss = heldOutLoss(
                          run.model, *run.corpus, run.batch, run.config.train.batch, maxTokens, run.settingsOf(0),
                          [&run] { run.countValidation(); }, progress)
                          .loss;
  run.validatedStep = run.done;
  return loss;
}

std::int64_t Trainer::stepsDone() const { return impl_->done; }
const RunConfig& Trainer::config() const { return impl_->config; }
Model& Trainer::model() { return impl_->model; }
const Corpus& Trainer::corpus() const { return *impl_->corpus; }
std::span<const Routing* const> Trainer::lastRouting() const { return impl_->model.routing(); }

std::optional<ModelSize> Trainer::routedSize() const {
  std::vector<std::vector<double>> admitted;
  for (const LayerStatistics& layer : impl_->layers) admitted.push_back(layer.admittedPerToken());
  if (admitted.empty() || admitted.front().empty()) return std::nullopt;
  return sizeOf(config().model, admitted);
}

bool Trainer::validationDue(std::int64_t step) const {
  const int every = config().train.validateEvery;
  return step >= config().train.steps || (every > 0 && step > 0 && step % every == 0);
}

void Trainer::set(const std::string& path, const std::string& value) {
  assert(inFlight() == 0);
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
