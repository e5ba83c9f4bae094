#include "core/telemetry/study.h"

#include <cmath>

#include "core/telemetry/health.h"

namespace moe {
namespace {

std::vector<float> narrowed(const std::vector<double>& values) { return {values.begin(), values.end()}; }

std::vector<std::int32_t> widened(const std::vector<std::int16_t>& values) { return {values.begin(), values.end()}; }

/// OLMoE's number for a layer: first choices, mean over the ids present of the largest share.
float vocabularySpecialisation(std::span<const std::int32_t> first, std::int64_t experts, std::span<const std::int32_t> ids,
                               std::int64_t vocabulary) {
  return static_cast<float>(meanLargestShare(specialisation(first, 1, experts, ids, vocabulary), experts, ids));
}

std::vector<std::int32_t> firstChoices(const StudySelections& chosen) {
  if (!chosen.weights.empty()) return heaviestChoices(chosen.table, chosen.slots, chosen.weights);
  std::vector<std::int32_t> first;
  for (std::size_t i = 0; i < chosen.table.size(); i += static_cast<std::size_t>(chosen.slots)) first.push_back(chosen.table[i]);
  return first;
}

bool comparable(const RunStudy& a, const RunStudy& b, std::size_t layer) {
  return layer < a.layers.size() && layer < b.layers.size() && a.tokens == b.tokens &&
         a.layers[layer].layer == b.layers[layer].layer && a.layers[layer].experts == b.layers[layer].experts;
}

}  // namespace

std::optional<double> RunStudy::maxVioGlobal() const {
  double sum = 0;
  for (const LayerStudy& layer : layers) sum += static_cast<double>(layer.maxVioGlobal);
  if (layers.empty() || !std::isfinite(sum)) return std::nullopt;
  return sum / static_cast<double>(layers.size());
}

std::vector<float> evenShares(const LayerStudy& layer) {
  const auto experts = static_cast<std::size_t>(layer.experts);
  std::vector<float> shares;
  for (std::size_t begin = 0; experts > 0 && begin < layer.domains.size(); begin += experts) {
    double sum = 0;
    for (std::size_t e = 0; e < experts; ++e) sum += static_cast<double>(layer.domains[begin + e]);
    shares.push_back(static_cast<float>(sum / static_cast<double>(experts)));
  }
  return shares;
}

LayerStudy studyLayer(int layer, const StudySelections& chosen, const StudyText& text) {
  const std::int64_t slots = chosen.slots, experts = chosen.experts;
  LayerStudy study;
  study.layer = layer;
  study.experts = static_cast<std::int32_t>(experts);
  study.slots = static_cast<std::int32_t>(slots);
  study.selections.assign(chosen.table.begin(), chosen.table.end());
  study.coactivation =
      narrowed(coactivationGivenRow(coactivation(chosen.table, slots, experts), countSelections(chosen.table, experts)));
  study.domains = narrowed(chosen.weighed ? specialisation(chosen.table, slots, experts, text.domainOf, text.domains, chosen.weights)
                                          : specialisation(chosen.table, slots, experts, text.domainOf, text.domains));
  const std::vector<std::int32_t> first = firstChoices(chosen);
  study.inputSpecialisation = vocabularySpecialisation(first, experts, text.inputIds, text.vocabulary);
  study.nextSpecialisation = vocabularySpecialisation(first, experts, text.nextIds, text.vocabulary);
  study.predictedSpecialisation = vocabularySpecialisation(first, experts, text.predictedIds, text.vocabulary);
  return study;
}

std::vector<StudyChange> studyChanges(std::span<const RunStudy* const> studies, std::size_t layer) {
  std::vector<StudyChange> changes(studies.size());
  if (studies.empty() || layer >= studies.back()->layers.size()) return changes;
  const LayerStudy& last = studies.back()->layers[layer];
  const std::vector<std::int32_t> newest = widened(last.selections);
  std::vector<std::int32_t> before;
  for (std::size_t i = 0; i < studies.size(); ++i) {
    if (layer >= studies[i]->layers.size()) continue;
    const LayerStudy& now = studies[i]->layers[layer];
    std::vector<std::int32_t> present = widened(now.selections);
    if (comparable(*studies[i], *studies.back(), layer) && now.slots == last.slots)
      changes[i].saturation = saturation(present, newest, now.slots);
    if (i > 0 && comparable(*studies[i - 1], *studies[i], layer))
      changes[i].churn = churn(before, studies[i - 1]->layers[layer].slots, present, now.slots);
    before = std::move(present);
  }
  return changes;
}

}  // namespace moe
