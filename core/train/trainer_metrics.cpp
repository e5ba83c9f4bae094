// What a trainer says about its experts beyond the loss: per step, and in studies of a fixed text.
#include <algorithm>
#include <cassert>

#include "core/telemetry/health.h"
#include "core/tensor/philox.h"
#include "core/tensor/scalar.h"
#include "core/train/trainer_impl.h"

namespace moe {
namespace {

void append(Batch& to, const Batch& from) {
  to.sequences += from.sequences;
  to.length = from.length;
  to.ids.insert(to.ids.end(), from.ids.begin(), from.ids.end());
  to.targets.insert(to.targets.end(), from.targets.begin(), from.targets.end());
  to.positions.insert(to.positions.end(), from.positions.begin(), from.positions.end());
  to.domains.insert(to.domains.end(), from.domains.begin(), from.domains.end());
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

void Trainer::Impl::drawStudy(Batch& out, std::int64_t first, std::int64_t sequences) const {
  const std::int64_t length = config.model.context, all = corpus->heldOutSequences(length);
  const std::int64_t perBatch = config.train.batch * length;
  const std::int64_t wanted = std::max<std::int64_t>(1, (kStudyTokens + perBatch / 2) / perBatch) * config.train.batch;
  const std::int64_t count = std::min(wanted, all);
  const RandomKey key{.seed = config.seed, .stream = RandomStream::study};
  out = {};
  Batch one;
  for (std::int64_t i = first; i < std::min(first + sequences, count); ++i) {
    // One from each of `count` equal stretches of the split, so that every domain has its share.
    const double place = (static_cast<double>(i) + uniformAt(key, static_cast<std::uint32_t>(i), 0)) / static_cast<double>(count);
    corpus->heldOutBatch(one, std::min(all - 1, static_cast<std::int64_t>(place * static_cast<double>(all))), 1, length);
    append(out, one);
  }
}

void Trainer::setMeasuring(bool on) {
  impl_->measuring = on;
}

RunStudy Trainer::study() {
  Impl& run = *impl_;
  assert(inFlight() == 0);
  RunStudy study;
  study.step = run.done;
  if (run.layers.empty()) return study;
  PassSettings settings = run.settingsOf(0);
  settings.phase = Phase::evaluation;
  std::vector<std::vector<std::int32_t>> selections(run.layers.size());
  Batch all, batch;
  std::vector<std::int32_t> predicted;
  for (std::int64_t first = 0;; first += batch.sequences) {
    run.drawStudy(batch, first, run.config.train.batch);
    if (batch.sequences == 0) break;
    run.model.forward(batch, settings);
    for (std::size_t i = 0; i < selections.size(); ++i) {
      const std::vector<std::int32_t>& asked = run.model.routing()[i]->asked;
      selections[i].insert(selections[i].end(), asked.begin(), asked.end());
    }
    appendPredictions(predicted, run.backend.read(run.model.logits()));
    append(all, batch);
  }
  study.tokens = all.tokens();
  for (const Corpus::Domain& domain : run.corpus->domains()) study.domains.push_back(domain.name);
  study.domainTokens.resize(study.domains.size());
  for (const std::int32_t domain : all.domains) ++study.domainTokens[static_cast<std::size_t>(domain)];
  const StudyText text{all.domains, all.ids, all.targets, predicted, static_cast<std::int64_t>(study.domains.size()),
                       run.config.model.vocabulary};
  for (std::size_t i = 0; i < selections.size(); ++i) {
    const Routing& routing = *run.model.routing()[i];
    study.layers.push_back(
        studyLayer(run.model.expertLayers()[i], selections[i], routing.slots, routing.experts, text));
    if (run.validatedStep == run.done && i < run.validationCounts.size())
      study.layers.back().maxVioGlobal = static_cast<float>(loadHealth(run.validationCounts[i]).maxVio);
  }
  return study;
}

}  // namespace moe
