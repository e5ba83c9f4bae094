#include "core/explain/explanation.h"

#include <cmath>

#include "core/telemetry/figure_text.h"

namespace moe {
namespace {

/// "embedding 32,768 + experts 4,227,072 "
std::string partsText(const RunFacts& facts) {
  std::string text;
  for (const RunFacts::Part& part : facts.parts)
    text += (text.empty() ? "" : "+ ") + part.name + " " + figureText(static_cast<double>(part.count)) + " ";
  return text;
}

std::string mebibytes(double bytes) { return figureText(std::round(bytes / 1048576)) + " MiB"; }

/// The term's value at perfect balance with the assignments a token has at this step.
std::optional<double> atBalance(const StepPoint& point, const RunFacts::Term& term, const RunFacts& facts) {
  if (!term.atBalance || *term.atBalance <= 0) return std::nullopt;
  if (!term.timesAssignments) return term.atBalance;
  double assignments = 0;
  for (const LayerPoint& layer : point.layers) assignments += layer.assignments;
  const auto places = static_cast<double>(point.layers.size()) * static_cast<double>(facts.tokens);
  return *term.atBalance * (assignments > 0 && places > 0 ? assignments / places : facts.slots);
}

/// A row's words around its values.
Explanation said(const MetricRow& row, int layer, std::int64_t step, std::string values, const RunFacts& facts) {
  return {nameAt(std::string(row.name), layer, step), row.formulaOf ? row.formulaOf(facts) : std::string(row.formula),
          std::move(values), row.meaningOf ? row.meaningOf(facts) : std::string(row.meaning)};
}

}  // namespace

Explanation explain(Metric metric, const StepPoint& point, const RunFacts& facts) {
  const MetricRow& row = rowOf(metric);
  return said(row, -1, point.step, row.values(point, facts), facts);
}

Explanation explain(Metric metric, const LayerPoint& layer, std::int64_t step, const RunFacts& facts) {
  const MetricRow& row = rowOf(metric);
  return said(row, layer.layer, step, row.layerValues(layer, facts), facts);
}

Explanation explain(ModelQuantity quantity, const RunFacts& facts) {
  switch (quantity) {
    case ModelQuantity::totalParameters:
      return {"Parameters", "every trained number of the model, once",
              partsText(facts) + "= " + figureText(static_cast<double>(facts.totalParameters)),
              "What has to be kept in memory, whichever experts are used."};
    case ModelQuantity::activeParameters: {
      const auto total = static_cast<double>(facts.totalParameters),
                 active = static_cast<double>(facts.activeParameters);
      return {
          "Active parameters", "all parameters \u2212 those of experts a token does not pass",
          figureText(total) + " \u2212 " + figureText(total - active) + " = " + figureText(active),
          "What one token is worked on by: the cost of a token follows these, not the total." + facts.assumedActive};
    }
    case ModelQuantity::flops:
      return {"Work a token", "3 \u00b7 2 \u00b7 multiply-adds forward; backward counts twice",
              "3 \u00b7 2 \u00b7 " + figureText(facts.flopsPerToken / 6) + " = " + figureText(facts.flopsPerToken) +
                  " floating-point operations",
              "Attention is counted at half the context on average."};
    case ModelQuantity::memory: {
      const RunFacts::Memory& memory = facts.memory;
      const double total = memory.training(facts.totalParameters), loading = static_cast<double>(memory.loading);
      const bool text = memory.text > 0;
      return {"Memory of training, predicted",
              std::string("parameters \u00b7 bytes each + tokens of a batch \u00b7 bytes each + ") +
                  (text ? "the text + " : "") + "the program",
              figureText(static_cast<double>(facts.totalParameters)) + " \u00b7 " + figureText(memory.parameterBytes) +
                  " B + " + figureText(static_cast<double>(memory.tokens)) + " \u00b7 " +
                  figureText(std::round(memory.tokenBytes)) + " B + " +
                  (text ? mebibytes(static_cast<double>(memory.text)) + " + " : "") +
                  mebibytes(static_cast<double>(memory.other)) + " = " + mebibytes(total) +
                  (loading > total ? "; before that its text takes " + mebibytes(loading) + " to be loaded" : ""),
              "A parameter has its value, its gradient and two moments of the optimizer, and all but the gradient once "
              "more while a checkpoint is written; a token what forward leaves to backward, and the widest layer's "
              "gradients."};
    }
  }
  return {};
}

Explanation explainRouted(double parameters, double flops, const RunFacts& facts) {
  return {"What a token really passed",
          "mean over the newest step's tokens of the parameters of the experts that took it, and of all that every "
          "token passes",
          "= " + figureText(parameters) + " parameters, " + figureText(flops) + " floating-point operations; " +
              figureText(static_cast<double>(facts.activeParameters)) +
              " if every token had all its experts and all were alike",
          "Differs where experts differ in size, tokens are dropped, or the number of experts varies."};
}

Explanation explainAlert(const Alert& alert, std::size_t experts, const RunFacts& facts) {
  const double fair = experts > 0 ? 1 / static_cast<double>(experts) : 0;
  return {"Utilisation of expert " + std::to_string(alert.expert) + ", " + layerName(alert.layer),
          "mean over " + std::to_string(facts.deadWindow) + " steps of load / fair share, fair share = 1 / E",
          shareText(alert.utilization * fair) + " / " + shareText(fair) + " = " + shareText(alert.utilization) +
              (alert.utilization < facts.deadBelow ? " < " : " \u2265 ") + shareText(facts.deadBelow) +
              ", the threshold",
          "The alert stands since step " + figureText(static_cast<double>(alert.since)) +
              ", when the mean first fell below " + shareText(facts.deadBelow) + "; it ends at " +
              shareText(facts.deadClears) + "."};
}

std::optional<double> scaledTerm(const StepPoint& point, std::size_t term, const RunFacts& facts) {
  if (term >= point.balance.size() || term >= facts.terms.size()) return std::nullopt;
  const auto value = static_cast<double>(point.balance[term]);
  if (facts.terms[term].oneAbove) return 1 + value;
  const auto balanced = atBalance(point, facts.terms[term], facts);
  return balanced ? std::optional(value / *balanced) : std::nullopt;
}

Explanation explainTerm(const StepPoint& point, std::size_t term, const RunFacts& facts) {
  const RunFacts::Term& one = facts.terms.at(term);
  Explanation text{nameAt(one.label, -1, point.step), one.formula, "Not measured yet.", ""};
  if (term >= point.balance.size()) return text;
  const std::string value = figureText(static_cast<double>(point.balance[term]));
  const auto scaled = scaledTerm(point, term, facts);
  if (!scaled) {
    text.values = "= " + value;
    text.meaning = "It balances nothing, so it has no place on the scale on which 1 is perfect balance.";
    return text;
  }
  text.values = "raw " + value + "; on the common scale " +
                (one.oneAbove ? "1 + " + value : value + " / " + figureText(*atBalance(point, one, facts))) + " = " +
                figureText(*scaled);
  text.meaning = "On the common scale 1 is perfect balance, whatever the convention: here " + one.convention + ".";
  return text;
}

bool actsOnRouter(double termGradient, double languageGradient) {
  constexpr double kRounding = 1e-6;  // f32 sums of terms that cancel leave about this much
  return termGradient > 0 && !(termGradient < kRounding * languageGradient);  // that one may not have been measured
}

std::vector<std::string> idleTerms(const StepPoint& point, const RunFacts& facts) {
  std::vector<std::string> sentences;
  for (std::size_t i = 0; i < facts.terms.size(); ++i) {
    if (facts.terms[i].coefficient == 0) continue;
    std::string layers;
    for (const LayerPoint& layer : point.layers)
      if (i < layer.termGradient.size() &&
          !actsOnRouter(static_cast<double>(layer.termGradient[i]), static_cast<double>(layer.languageGradient)))
        layers += (layers.empty() ? "" : ", ") + std::to_string(layer.layer);
    if (!layers.empty())
      sentences.push_back(facts.terms[i].label + " has a coefficient of " + figureText(facts.terms[i].coefficient) +
                          ", but its gradient on the router is zero in layer " + layers +
                          ": it changes nothing there.");
  }
  return sentences;
}

}  // namespace moe
