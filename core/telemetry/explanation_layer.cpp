// What a layer's numbers are made of. Counts are the step's shares times its assignments.
#include <algorithm>
#include <cmath>

#include "core/telemetry/explanation.h"
#include "core/telemetry/explanation_text.h"

namespace moe {
namespace {

/// c_e, or its share where the step's assignments are not known (runs of an older version).
double countOf(const LayerPoint& layer, float share) {
  return layer.assignments > 0 ? std::round(static_cast<double>(share) * layer.assignments)
                               : static_cast<double>(share);
}

double meanCount(const LayerPoint& layer) {
  return (layer.assignments > 0 ? layer.assignments : 1) /
         static_cast<double>(std::max<std::size_t>(1, layer.load.size()));
}

std::string largestCount(const LayerPoint& layer) {
  return layer.load.empty() ? "max c"
                            : figureText(countOf(layer, *std::max_element(layer.load.begin(), layer.load.end())));
}

}  // namespace

std::optional<double> balancerShare(const LayerPoint& layer) {
  if (!std::isfinite(layer.balanceGradient) || !(layer.languageGradient > 0)) return std::nullopt;
  return static_cast<double>(layer.balanceGradient) / static_cast<double>(layer.languageGradient);
}

Explanation explain(LayerQuantity quantity, const LayerPoint& layer, std::int64_t step, const RunFacts& facts) {
  const auto at = [&](const char* what) { return nameAt(what, layer.layer, step); };
  const auto experts = static_cast<double>(layer.load.size());
  const double mean = meanCount(layer);
  const std::string missing = "Not measured at this step.";
  const auto measured = [&](float value, std::string text) { return std::isfinite(value) ? std::move(text) : missing; };
  switch (quantity) {
    case LayerQuantity::maxVio:
      return {at("MaxVio"), "max c / mean c \u2212 1",
              measured(layer.maxVio,
                       largestCount(layer) + " / " + figureText(mean) + " \u2212 1 = " + figureText(layer.maxVio)),
              "How far the busiest expert is above its fair share; 0 is perfect balance. c counts what was asked, "
              "before capacity."};
    case LayerQuantity::cv2:
      return {at("CV\u00b2 of the loads"), "variance of c / (mean c)\u00b2",
              measured(layer.cv2, figureText(static_cast<double>(layer.cv2) * mean * mean) + " / " + figureText(mean) +
                                      "\u00b2 = " + figureText(layer.cv2)),
              "How much the loads differ, all experts together; 0 is perfect balance."};
    case LayerQuantity::importanceCv2: {
      const double tokens = static_cast<double>(facts.tokens), each = experts > 0 ? tokens / experts : 0;
      return {at("CV\u00b2 of the importance"), "variance of \u03a3 p / (mean \u03a3 p)\u00b2, p summed over tokens",
              measured(layer.importanceCv2, figureText(static_cast<double>(layer.importanceCv2) * each * each) + " / " +
                                                figureText(each) + "\u00b2 = " + figureText(layer.importanceCv2)),
              "The same of the router's probabilities instead of its choices."};
    }
    case LayerQuantity::dropRate:
      return {at("Dropped assignments"), "assignments refused / asked",
              measured(layer.dropRate,
                       (layer.assignments > 0
                            ? figureText(std::round(static_cast<double>(layer.dropRate) * layer.assignments)) + " / " +
                                  figureText(layer.assignments) + " = "
                            : "= ") +
                           shareText(static_cast<double>(layer.dropRate))),
              "Refused because the expert's slots were full."};
    case LayerQuantity::tokenDropRate: {
      const auto tokens = static_cast<double>(facts.tokens);
      return {at("Dropped tokens"), "tokens no expert took / T",
              measured(layer.tokenDropRate, figureText(std::round(static_cast<double>(layer.tokenDropRate) * tokens)) +
                                                " / " + figureText(tokens) + " = " +
                                                shareText(static_cast<double>(layer.tokenDropRate))),
              "They pass the layer by the residual alone."};
    }
    case LayerQuantity::routerEntropy:
      return {at("Token entropy"), "mean over tokens of \u2212\u03a3 p log p",
              measured(layer.routerEntropy, figureText(layer.routerEntropy) + " nats of at most log " +
                                                figureText(experts) + " = " + figureText(std::log(experts)) + " nats"),
              "How undecided the router is about a single token."};
    case LayerQuantity::loadEntropy:
      return {at("Load entropy"), "\u2212\u03a3 q log q / log E, q = c / \u03a3 c",
              measured(layer.loadEntropy,
                       experts > 1 ? figureText(static_cast<double>(layer.loadEntropy) * std::log(experts)) +
                                         " / log " + figureText(experts) + " = " + figureText(layer.loadEntropy)
                                   : "1: a single expert"),
              "How evenly all tokens together use the experts; 1 is perfect balance."};
    case LayerQuantity::mutualInformation:
      return {at("Mutual information"), "H(mean over tokens of p) \u2212 mean over tokens of H(p)",
              measured(layer.meanProbEntropy, figureText(layer.meanProbEntropy) + " \u2212 " +
                                                  figureText(layer.routerEntropy) + " = " +
                                                  figureText(layer.meanProbEntropy - layer.routerEntropy) + " nats"),
              "High where the experts are specialised and all of them used."};
    case LayerQuantity::margin:
      return {at("Margin"), "mean over tokens of (smallest chosen r \u2212 largest not chosen r)",
              measured(layer.margin, "= " + figureText(layer.margin)),
              "How close another choice was, in the values the router ranks by."};
    case LayerQuantity::biasJaccard:
      return {at("Before / after bias"), "mean over tokens of |A \u2229 B| / |A \u222a B|",
              measured(layer.biasJaccard, "= " + figureText(layer.biasJaccard)),
              "A is chosen with the selection bias, B without: at 1 the bias changes no choice."};
    case LayerQuantity::unused:
      return {at("Unused experts"), "experts with c = 0 in this step",
              measured(layer.unused, figureText(layer.unused) + " of " + figureText(experts)),
              "Unused for one step is not dead: see dead experts."};
    case LayerQuantity::dead:
      return {at("Dead experts"),
              "experts whose mean load over " + std::to_string(facts.deadWindow) + " steps is below " +
                  shareText(facts.deadBelow) + " of the fair share",
              std::isfinite(layer.dead) ? figureText(layer.dead) + " of " + figureText(experts)
                                        : "Not known before " + std::to_string(facts.deadWindow) + " steps are there.",
              "These raise the alerts."};
    case LayerQuantity::balancer:
      return {
          at("Balancer's pull"),
          "\u2016gradient of \u03a3 coefficient \u00b7 value\u2016 / \u2016gradient of the language loss\u2016, on the "
          "router's weights",
          !std::isfinite(layer.balanceGradient) ? "Not measured yet: it is looked at every ten steps."
          : !std::isfinite(layer.languageGradient)
              ? figureText(layer.balanceGradient) + "; the language loss's gradient was not measured at this step"
          : layer.languageGradient > 0
              ? figureText(layer.balanceGradient) + " / " + figureText(layer.languageGradient) + " = " +
                    shareText(static_cast<double>(layer.balanceGradient) / static_cast<double>(layer.languageGradient))
              : figureText(layer.balanceGradient) + " / 0: only the balance terms move this router",
          "How hard this layer's balance terms (without z) pull at its router beside the language loss alone, without "
          "the terms of any layer. The terms are looked at every ten steps, the language loss every two hundred: that "
          "takes a pass of its own."};
  }
  return {};
}

Explanation explainLoad(const LayerPoint& layer, std::size_t expert, std::int64_t step) {
  const float share = expert < layer.load.size() ? layer.load[expert] : 0;
  const double count = countOf(layer, share), mean = meanCount(layer);
  std::string values;
  if (layer.assignments > 0) values = figureText(count) + " / " + figureText(layer.assignments) + " = ";
  values += shareText(static_cast<double>(share)) + " of the assignments; " + figureText(count) + " / " +
            figureText(mean) + " = " + figureText(static_cast<double>(share) * static_cast<double>(layer.load.size())) +
            " of the fair share";
  return {nameAt("Load of expert " + std::to_string(expert), layer.layer, step),
          "load = c / \u03a3 c, utilisation = c / mean c", values,
          "c counts what was asked, before capacity; utilisation 1 is the fair share."};
}

}  // namespace moe
