// What a trainer says about its experts beyond the loss: per step, and in studies of a fixed text.
#include <algorithm>
#include <cassert>

#include "core/backend/backend.h"
#include "core/backend/host_mirror.h"
#include "core/telemetry/health.h"
#include "core/tensor/scalar.h"
#include "core/train/trainer_impl.h"

namespace moe {
namespace {

template <class T>
void append(std::vector<T>& to, const std::vector<T>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

/// The most likely next id of each row of the logits (T, V); the first of equals.
void appendPredictions(std::vector<std::int32_t>& out, const HostCopy& copy) {
  const TensorView& logits = copy.view();
  withScalar(logits.dtype, [&]<class S>() {
    const std::int64_t vocabulary = logits.shape[1];
    for (std::int64_t t = 0; t < logits.shape[0]; ++t) {
      const S* row = logits.as<S>() + t * vocabulary;
      out.push_back(static_cast<std::int32_t>(std::max_element(row, row + vocabulary) - row));
    }
  });
}

/// Tokens whose selections a study keeps, where a layer's table is wide.
std::int64_t mostStudied(const ModelConfig& model) {
  std::int64_t slots = 1;
  for (const LayerConfig& layer : model.layers)
    if (layer.hasExperts) slots = std::max<std::int64_t>(slots, layer.recipe.slotsPerToken());
  if (const auto head = headRecipe(model)) slots = std::max<std::int64_t>(slots, head->slotsPerToken());
  return std::max<std::int64_t>(1, kStudiedSelections / slots);
}

/// Names of the domains; many stand together in groups of neighbours, of which domain d of n is in group d * groups / n.
std::vector<std::string> groupsOf(const std::vector<Corpus::Domain>& domains) {
  const std::size_t groups = std::min<std::size_t>(domains.size(), kStudiedDomains);
  std::vector<std::string> names;
  for (std::size_t group = 0, begin = 0; group < groups; ++group) {
    std::size_t end = begin;
    while (end < domains.size() && end * groups / domains.size() == group) ++end;
    names.push_back(end == begin + 1 ? domains[begin].name
                                     : domains[begin].name + " \u2026 " + domains[end - 1].name + " (" +
                                           std::to_string(end - begin) + " texts)");
    begin = end;
  }
  return names;
}

}  // namespace

bool Trainer::Impl::watchesBalancer() const {
  return measuring && !layers.empty() && !recipe(0).balance.empty() && next() % kBalancerEvery == 0;
}

std::vector<LayerPoint> Trainer::Impl::layerPoints(const Asked& step) const {
  std::vector<LayerPoint> points;
  for (std::size_t i = 0; i < layers.size(); ++i) points.push_back(layers[i].point(model.expertLayers()[i]));
  for (std::size_t i = 0; i < step.balancer.size(); ++i) {
    if (!step.language.empty()) points[i].languageGradient = static_cast<float>(step.language[i]);
    points[i].balanceGradient = static_cast<float>(step.balancer[i].balance);
    points[i].termGradient.assign(step.balancer[i].terms.begin(), step.balancer[i].terms.end());
  }
  return points;
}

std::vector<HeldOutWindow> Trainer::Impl::studyWindows() const {
  const std::int64_t length = config.model.context, perBatch = config.train.batch * length;
  const std::int64_t batches = std::max<std::int64_t>(1, (kStudyTokens + perBatch / 2) / perBatch);
  return corpus->heldOutWindows(length, std::min(batches * perBatch, mostStudied(config.model)));
}

std::vector<double> Trainer::Impl::askedWeights(std::size_t expertLayer) const {
  const HostMirror mirror(backend, model.routing()[expertLayer]->askedWeight.view());
  const TensorView& weights = mirror.view();
  std::vector<double> all;
  withScalar(weights.dtype, [&]<class S>() { all.assign(weights.as<S>(), weights.as<S>() + weights.elements()); });
  return all;
}

void Trainer::Impl::countValidation() {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Routing& routing = *model.routing()[i];
    std::vector<double>& loads = validationLoads[i];
    loads.resize(static_cast<std::size_t>(routing.experts));
    if (!asksEveryExpert(recipe(i))) {
      for (std::size_t e = 0; e < loads.size(); ++e) loads[e] += static_cast<double>(routing.load[e]);
      continue;
    }
    const std::vector<double> weights = askedWeights(i);
    for (std::size_t a = 0; a < weights.size(); ++a)
      if (routing.asked[a] >= 0) loads[static_cast<std::size_t>(routing.asked[a])] += weights[a];
  }
}

double Trainer::validationMaxVio() const {
  assert(impl_->validatedStep == impl_->done);
  double sum = 0;
  for (const std::vector<double>& layer : impl_->validationLoads) sum += loadHealth(layer).maxVio;
  return sum / static_cast<double>(impl_->validationLoads.size());
}

void Trainer::setMeasuring(bool on) { impl_->measuring = on; }

RunStudy Trainer::study() {
  Impl& run = *impl_;
  assert(inFlight() == 0);
  RunStudy study;
  study.step = run.done;
  if (run.layers.empty()) return study;
  PassSettings settings = run.settingsOf(0);
  settings.phase = Phase::evaluation;
  std::vector<std::vector<std::int32_t>> selections(run.layers.size());
  std::vector<std::vector<double>> weights(run.layers.size());
  const std::vector<HeldOutWindow> windows = run.studyWindows();
  Batch batch;
  std::vector<std::int32_t> domains, ids, targets, predicted;
  for (std::span<const HeldOutWindow> rest = windows; run.corpus->heldOutBatch(batch, rest, run.config.train.batch);) {
    run.model.forward(batch, settings);
    for (std::size_t i = 0; i < selections.size(); ++i) {
      append(selections[i], run.model.routing()[i]->asked);
      if (slotsAreExperts(run.recipe(i))) append(weights[i], run.askedWeights(i));
    }
    appendPredictions(predicted, run.backend.read(run.model.logits()));
    append(domains, batch.domains);
    append(ids, batch.ids);
    append(targets, batch.targets);
  }
  study.tokens = static_cast<std::int64_t>(ids.size());
  study.domains = groupsOf(run.corpus->domains());
  study.domainTokens.resize(study.domains.size());
  const std::size_t all = run.corpus->domains().size();
  for (std::int32_t& domain : domains) {
    domain = static_cast<std::int32_t>(static_cast<std::size_t>(domain) * study.domains.size() / all);
    ++study.domainTokens[static_cast<std::size_t>(domain)];
  }
  const StudyText text{domains, ids, targets, predicted, static_cast<std::int64_t>(study.domains.size())};
  for (std::size_t i = 0; i < selections.size(); ++i) {
    const Routing& routing = *run.model.routing()[i];
    const StudySelections chosen{.table = selections[i],
                                 .slots = routing.slots,
                                 .experts = routing.experts,
                                 .weights = weights[i],
                                 .weighed = asksEveryExpert(run.recipe(i))};
    study.layers.push_back(studyLayer(run.model.expertLayers()[i], chosen, text));
    if (run.validatedStep == run.done)
      study.layers.back().maxVioGlobal = static_cast<float>(loadHealth(run.validationLoads[i]).maxVio);
  }
  return study;
}

}  // namespace moe
