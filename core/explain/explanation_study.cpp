#include <cmath>

#include "core/explain/explanation.h"
#include "core/telemetry/figure_text.h"

namespace moe {
namespace {

std::string text(const RunStudy& study) {
  return "the same " + figureText(static_cast<double>(study.tokens)) + " held-out tokens each time";
}

std::int64_t assignments(const LayerStudy& layer) {
  std::int64_t count = 0;
  for (const std::int32_t expert : layer.selections) count += expert >= 0;
  return count;
}

std::int64_t countOf(const LayerStudy& layer, std::int32_t expert) {
  std::int64_t count = 0;
  for (const std::int32_t chosen : layer.selections) count += chosen == expert;
  return count;
}

}  // namespace

Explanation explain(StudyQuantity quantity, const RunStudy& study, std::size_t index, const StudyChange& change,
                    std::int64_t newest) {
  const LayerStudy& layer = study.layers.at(index);
  const auto at = [&](const char* what) { return nameAt(what, layer.layer, study.step); };
  const auto vocabulary = [&](const char* what, const char* whose, float value) {
    return Explanation{
        at(what), "mean over ids of the largest share of an id's first choices that one expert has",
        "= " + shareText(static_cast<double>(value)),
        std::string("An id is ") + whose + "; ids that are met once count 1. Measured over " + text(study) + "."};
  };
  switch (quantity) {
    case StudyQuantity::saturation:
      return {at("Saturation"), "mean over tokens of |now \u2229 newest| / k",
              change.saturation
                  ? "= " + shareText(*change.saturation) + ", against step " + figureText(static_cast<double>(newest))
                  : "Nothing to compare with.",
              "Share of the experts chosen by the run's newest study that were chosen already at this step, so earlier "
              "values move until the run ends. Over " +
                  text(study) + "."};
    case StudyQuantity::churn: {
      const auto all = static_cast<double>(assignments(layer));
      return {at("Churn"), "assignments that the study before did not have / assignments",
              change.churn ? figureText(std::round(*change.churn * all)) + " / " + figureText(all) + " = " +
                                 shareText(*change.churn)
                           : "Nothing to compare with: no study before.",
              "How much of the routing changed since the study before, over " + text(study) + "."};
    }
    case StudyQuantity::maxVioGlobal: {
      std::string sum;
      for (const LayerStudy& one : study.layers) sum += (sum.empty() ? "(" : " + ") + figureText(one.maxVioGlobal);
      const auto mean = study.maxVioGlobal();
      return {nameAt("MaxVio global", -1, study.step),
              "mean over layers of (max c / mean c \u2212 1), c over the whole validation",
              mean ? sum + ") / " + std::to_string(study.layers.size()) + " = " + figureText(*mean)
                   : "Not measured: this study came without a validation.",
              "Over many tokens chance evens out, so it is below the MaxVio of single batches."};
    }
    case StudyQuantity::inputSpecialisation:
      return vocabulary("Specialisation on the token read", "the token at the place itself", layer.inputSpecialisation);
    case StudyQuantity::nextSpecialisation:
      return vocabulary("Specialisation on the true next token", "the token that really follows",
                        layer.nextSpecialisation);
    case StudyQuantity::predictedSpecialisation:
      return vocabulary("Specialisation on the predicted token", "the token the model thinks most likely next",
                        layer.predictedSpecialisation);
  }
  return {};
}

Explanation explainCoactivation(const RunStudy& study, std::size_t index, std::size_t row, std::size_t column) {
  const LayerStudy& layer = study.layers.at(index);
  const auto share = static_cast<double>(layer.coactivation.at(row * layer.listed.size() + column));
  const std::int32_t expert = layer.listed.at(row);
  const auto count = static_cast<double>(countOf(layer, expert));
  return {
      nameAt("Co-activation of expert " + std::to_string(expert) + " with " + std::to_string(layer.listed.at(column)),
             layer.layer, study.step),
      "N(i and j) / N(i), over all pairs of choices",
      row == column ? "An expert is not paired with itself."
      : count > 0   ? figureText(std::round(share * count)) + " / " + figureText(count) + " = " + shareText(share)
                    : "Expert " + std::to_string(expert) + " was not chosen at all.",
      "Of the tokens that chose the row's expert, the share that chose the column's too. Over " + text(study) + "."};
}

Explanation explainDomain(const RunStudy& study, std::size_t index, std::size_t domain, std::size_t column) {
  const LayerStudy& layer = study.layers.at(index);
  const auto share = static_cast<double>(layer.domains.at(domain * layer.listed.size() + column));
  const auto tokens = static_cast<double>(study.domainTokens.at(domain));
  const auto uniform = static_cast<double>(evenShares(layer).at(domain));
  return {nameAt("Tokens of " + study.domains.at(domain) + " at expert " + std::to_string(layer.listed.at(column)),
                 layer.layer, study.step),
          "N(domain and expert) / N(domain); uniform is k / E",
          tokens > 0 ? figureText(std::round(share * tokens)) + " / " + figureText(tokens) + " = " + shareText(share) +
                           "; uniform " + shareText(uniform) + ", so " + figureText(uniform > 0 ? share / uniform : 0) +
                           " times"
                     : "No token of this domain is in the text studied.",
          "Share of the domain's tokens that chose the expert. Over " + text(study) + "."};
}

}  // namespace moe
