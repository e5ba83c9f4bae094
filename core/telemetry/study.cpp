#include "core/telemetry/study.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/telemetry/health.h"

namespace moe {
namespace {

std::vector<float> narrowed(const std::vector<double>& values) { return {values.begin(), values.end()}; }

std::vector<std::int32_t> firstOf(const StudySelections& chosen) {
  return chosen.weights.empty() ? firstChoices(chosen.table, chosen.slots)
                                : heaviestChoices(chosen.table, chosen.slots, chosen.weights);
}

/// The table with the listed experts by their place in the list; the others are left out.
std::vector<std::int32_t> amongListed(std::span<const std::int32_t> table, std::span<const std::int32_t> listed,
                                      std::int64_t experts) {
  std::vector<std::int32_t> place(static_cast<std::size_t>(experts), -1), out;
  for (std::size_t i = 0; i < listed.size(); ++i)
    place[static_cast<std::size_t>(listed[i])] = static_cast<std::int32_t>(i);
  out.reserve(table.size());
  for (const std::int32_t expert : table) out.push_back(expert < 0 ? -1 : place[static_cast<std::size_t>(expert)]);
  return out;
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

std::vector<std::int32_t> allExperts(std::int64_t experts) {
  std::vector<std::int32_t> all(static_cast<std::size_t>(experts));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

std::vector<std::int32_t> listedExperts(std::span<const std::int32_t> selections, std::int64_t experts) {
  std::vector<std::int32_t> listed = allExperts(experts);
  if (experts <= kStudiedExperts) return listed;
  const std::vector<std::int64_t> counts = countSelections(selections, experts);
  const auto end = listed.begin() + kStudiedExperts;
  std::partial_sort(listed.begin(), end, listed.end(), [&counts](std::int32_t a, std::int32_t b) {
    const std::int64_t ofA = counts[static_cast<std::size_t>(a)], ofB = counts[static_cast<std::size_t>(b)];
    return ofA != ofB ? ofA > ofB : a < b;
  });
  listed.erase(end, listed.end());
  std::sort(listed.begin(), listed.end());
  return listed;
}

std::vector<float> evenShares(const LayerStudy& layer) {
  const std::size_t listed = layer.listed.size();
  if (listed == 0) return {};
  const std::size_t domains = layer.domains.size() / listed;
  const auto experts = static_cast<double>(layer.experts);
  if (static_cast<std::int32_t>(listed) < layer.experts) {
    // The tables lack a part of the sum, which is that of the whole text: as many choices a token in every domain, or
    // weights that sum to 1.
    const auto all = static_cast<double>(layer.selections.size());
    const auto used =
        static_cast<double>(std::ranges::count_if(layer.selections, [](std::int32_t expert) { return expert >= 0; }));
    const double choices = layer.slots == layer.experts && used == all ? 1 : used * layer.slots / std::max(1.0, all);
    return std::vector<float>(domains, static_cast<float>(choices / experts));
  }
  std::vector<float> shares;
  for (std::size_t domain = 0; domain < domains; ++domain) {
    double sum = 0;
    for (std::size_t e = 0; e < listed; ++e) sum += static_cast<double>(layer.domains[domain * listed + e]);
    shares.push_back(static_cast<float>(sum / experts));
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
  study.listed = listedExperts(chosen.table, experts);
  const std::vector<std::int32_t> table = amongListed(chosen.table, study.listed, experts);
  const auto listed = static_cast<std::int64_t>(study.listed.size());
  study.coactivation =
      narrowed(coactivationGivenRow(coactivation(table, slots, listed), countSelections(table, listed)));
  study.domains =
      narrowed(chosen.weighed ? specialisation(table, slots, listed, text.domainOf, text.domains, chosen.weights)
                              : specialisation(table, slots, listed, text.domainOf, text.domains));
  // OLMoE's number for a layer: first choices, mean over the ids present of the largest share.
  const std::vector<std::int32_t> first = firstOf(chosen);
  study.inputSpecialisation = static_cast<float>(meanLargestShare(first, text.inputIds));
  study.nextSpecialisation = static_cast<float>(meanLargestShare(first, text.nextIds));
  study.predictedSpecialisation = static_cast<float>(meanLargestShare(first, text.predictedIds));
  return study;
}

StudyChange studyChange(const RunStudy* before, const RunStudy& now, const RunStudy& newest, std::size_t layer) {
  StudyChange change;
  if (layer >= now.layers.size()) return change;
  const LayerStudy& here = now.layers[layer];
  if (comparable(now, newest, layer) && here.slots == newest.layers[layer].slots)
    change.saturation = saturation(here.selections, newest.layers[layer].selections, here.slots);
  if (before != nullptr && comparable(*before, now, layer))
    change.churn = churn(before->layers[layer].selections, before->layers[layer].slots, here.selections, here.slots);
  return change;
}

std::vector<StudyChange> studyChanges(std::span<const RunStudy* const> studies, std::size_t layer) {
  std::vector<StudyChange> changes;
  for (std::size_t i = 0; i < studies.size(); ++i)
    changes.push_back(studyChange(i > 0 ? studies[i - 1] : nullptr, *studies[i], *studies.back(), layer));
  return changes;
}

}  // namespace moe
