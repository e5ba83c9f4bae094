#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/telemetry/points.h"

namespace moe {

// A study stays small whatever the model: tables of at most so many experts and domains, and so many selections.
inline constexpr std::int64_t kStudiedExperts = 256, kStudiedDomains = 256, kStudiedSelections = 1 << 20;

/// What one expert layer does with the study's text: too dear for every step, measured whenever the run is validated.
struct LayerStudy {
  int layer = 0;                         // index in the model's list of layers
  std::int32_t experts = 0, slots = 0;   // E, columns of `selections`
  std::vector<std::int32_t> selections;  // (T, slots) asked experts in selection order, -1 unused
  std::vector<std::int32_t> listed;      // (L) the experts that the two tables tell of, see listedExperts
  std::vector<float> coactivation;       // (L, L) N_ij / N_i over all pairs of slots; the diagonal is 0
  std::vector<float> domains;  // (domains, L) selections by tokens of the domain / tokens of the domain; sums of
                               // their weights where every token asks every expert
  // Mean over token ids of the largest share any expert has of the id's first choices (slot 0, or the largest weight where
  // the slots are experts): by the id read, the true next
  // id, and the id the model predicts.
  float inputSpecialisation = 0, nextSpecialisation = 0, predictedSpecialisation = 0;
  float maxVioGlobal =
      kNotMeasured;  // max c / mean c - 1 of the counts of the whole validation, or the sums of weights

  bool operator==(const LayerStudy&) const = default;
};

/// One run at one step, over text that stays the same for the whole run.
struct RunStudy {
  RunId run = 0;
  std::int64_t step = 0;
  std::vector<std::string> domains;        // at most kStudiedDomains: more are grouped in their order, and named so
  std::vector<std::int64_t> domainTokens;  // (domains)
  std::int64_t tokens = 0;                 // T
  std::vector<LayerStudy> layers;          // expert layers only, in order

  /// Mean over layers of maxVioGlobal; nothing where it was not measured.
  std::optional<double> maxVioGlobal() const;
};

/// 0 to experts - 1.
std::vector<std::int32_t> allExperts(std::int64_t experts);
/// All experts in order; where there are more than kStudiedExperts, those chosen most (the first of equals), in order.
std::vector<std::int32_t> listedExperts(std::span<const std::int32_t> selections, std::int64_t experts);

/// (domains) share of a domain's tokens each expert would have if all were alike: assignments a token / E.
std::vector<float> evenShares(const LayerStudy& layer);

/// How one layer's selections compare with those of other steps of the run.
struct StudyChange {
  std::optional<double> churn;       // share of assignments that changed since the study before
  std::optional<double> saturation;  // share of the experts of the newest study chosen already now
};
/// Of one layer of one study, the study before it (null: none) and the newest of the run.
StudyChange studyChange(const RunStudy* before, const RunStudy& now, const RunStudy& newest, std::size_t layer);
/// One a study; `studies` of one run in order of step, `layer` an index in RunStudy::layers. Nothing where two studies
/// cannot be compared: other text, other experts, or no study before.
std::vector<StudyChange> studyChanges(std::span<const RunStudy* const> studies, std::size_t layer);

/// What a layer chose for the study's text.
struct StudySelections {
  std::span<const std::int32_t> table;  // (T, slots) asked experts, -1 unused
  std::int64_t slots = 0, experts = 0;
  std::span<const double> weights = {};  // (T, slots) where the slots are experts, not choices in order; else empty
  bool weighed = false;                  // every token asks every expert: assignments count by their weights
};
/// The numbers of a layer from the selections themselves. domainOf, inputIds, nextIds, predictedIds: (T) each, negative
/// leaves the token out.
struct StudyText {
  std::span<const std::int32_t> domainOf, inputIds, nextIds, predictedIds;
  std::int64_t domains = 0;
};
LayerStudy studyLayer(int layer, const StudySelections& chosen, const StudyText& text);

}  // namespace moe
