#include "core/telemetry/metrics.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "core/telemetry/figure_text.h"
#include "core/telemetry/layer_counts.h"
#include "core/telemetry/run_facts.h"

namespace moe {
namespace {

/// Of a number that a point inherits.
template <double RunMetrics::*Member>
constexpr MetricRow ofRun(MetricRow row) {
  row.scope = MetricScope::run;
  row.storage = MetricStorage::column;
  row.of = [](const StepPoint& point) { return point.*Member; };
  row.put = [](StepPoint& point, double value) { point.*Member = value; };
  return row;
}
template <float LayerMetrics::*Member>
constexpr MetricRow ofLayer(MetricRow row) {
  row.scope = MetricScope::layer;
  row.storage = MetricStorage::block;
  row.ofLayer = [](const LayerPoint& layer) { return static_cast<double>(layer.*Member); };
  row.putLayer = [](LayerPoint& layer, double value) { layer.*Member = static_cast<float>(value); };
  return row;
}

std::string measured(float value, std::string text) {
  return std::isfinite(value) ? std::move(text) : "Not measured at this step.";
}

std::string lossText(double loss) {
  return "= " + figureText(loss) + " nats / token = " + figureText(loss / std::log(2.0)) + " bits; perplexity e^" +
         figureText(loss) + " = " + figureText(std::exp(loss));
}

std::string validationMeaning(const RunFacts& facts) {
  const std::string over = overHeldOut(facts.validatedTokens, facts.heldOutTokens);
  if (over.empty()) return "The same over held-out text, which the model never trains on.";
  return "The same " + over +
         ", which the model never trains on: the same ones every time, spread evenly over all the text.";
}

std::string sumOfTerms(const StepPoint& point, const RunFacts& facts, bool z, double total) {
  std::string text;
  for (std::size_t i = 0; i < facts.terms.size() && i < point.balance.size(); ++i) {
    const RunFacts::Term& term = facts.terms[i];
    if (term.z != z) continue;
    if (!text.empty()) text += " + ";
    text += figureText(term.coefficient) + " \u00b7 " + figureText(static_cast<double>(point.balance[i]));
    if (term.copies > 1) text += " \u00b7 " + std::to_string(term.copies) + " layers";
  }
  return text.empty() ? "= " + figureText(total) : text + " = " + figureText(total);
}

/// c_e / mean c of every expert of every layer together, at a percentile between the ordered values; not a number where
/// the loads are not known.
double loadAt(const StepPoint& point, double percentile) {
  std::vector<float> relative;
  for (const LayerPoint& layer : point.layers)
    for (const float share : layer.load)
      if (std::isfinite(share)) relative.push_back(share * static_cast<float>(layer.load.size()));
  if (relative.empty()) return std::nan("");
  const double place = percentile / 100 * static_cast<double>(relative.size() - 1);
  const auto below = relative.begin() + static_cast<std::ptrdiff_t>(place);
  std::ranges::nth_element(relative, below);  // a point is asked for all five: no need to order the rest
  const float above = below + 1 == relative.end() ? *below : *std::min_element(below + 1, relative.end());
  return std::lerp(static_cast<double>(*below), static_cast<double>(above), place - std::floor(place));
}

template <int Percentile>
constexpr MetricRow loadPercentile(MetricRow row) {
  row.scope = MetricScope::run;
  row.storage = MetricStorage::derived;
  row.name = "Load over fair share";
  row.unit = "c / mean c";
  row.meaning = "How unequal the experts of all layers are together: with perfect balance all five are 1.";
  row.form = MetricForm::decimals;
  row.axisFrom = 0;
  row.axisTo = 2;
  row.of = [](const StepPoint& point) { return loadAt(point, Percentile); };
  row.values = [](const StepPoint& point, const RunFacts&) {
    const double value = loadAt(point, Percentile);
    return std::isnan(value) ? std::string("Not measured at this step.") : "= " + figureText(value);
  };
  return row;
}

std::string largestCount(const LayerPoint& layer) {
  return layer.load.empty() ? "max c" : figureText(countOf(layer, *std::ranges::max_element(layer.load)));
}

/// variance / mean^2 = value, from the value and the mean.
std::string variationText(float value, double mean) {
  return measured(value, figureText(static_cast<double>(value) * mean * mean) + " / " + figureText(mean) +
                             "\u00b2 = " + figureText(value));
}

std::string pullText(const LayerPoint& layer, const RunFacts&) {
  if (!std::isfinite(layer.balanceGradient)) return "Not measured yet: it is looked at every ten steps.";
  const std::string pull = figureText(layer.balanceGradient);
  if (!std::isfinite(layer.languageGradient))
    return pull + "; the language loss's gradient was not measured at this step";
  const auto share = balancerShare(layer);
  return share ? pull + " / " + figureText(layer.languageGradient) + " = " + shareText(*share)
               : pull + " / 0: only the balance terms move this router";
}

constexpr MetricRow kRows[] = {
    ofRun<&RunMetrics::loss>(
        {.metric = Metric::loss,
         .id = "loss",
         .csv = "train_loss_nats_per_token",
         .column = "loss",
         .name = "Training loss",
         .unit = "nats / token",
         .formula = "mean over tokens of \u2212log p(next token)",
         .meaning = "How surprised the model is by the next token of this step's batch; lower is better.",
         .legend = "train",
         .form = MetricForm::decimals,
         .values = [](const StepPoint& point, const RunFacts&) { return lossText(point.loss); }}),
    {.metric = Metric::validationLoss,
     .scope = MetricScope::run,
     .storage = MetricStorage::column,
     .id = "val_loss",
     .csv = "validation_loss_nats_per_token",
     .column = "validation_loss",
     .name = "Validation loss",
     .unit = "nats / token",
     .formula = "mean over tokens of \u2212log p(next token)",
     .meaning = "The same over held-out text, which the model never trains on.",
     .legend = "validation",
     .form = MetricForm::decimals,
     .nowAndThen = true,
     .of = [](const StepPoint& point) { return point.validationLoss.value_or(std::nan("")); },
     .put =
         [](StepPoint& point, double value) {
           if (!std::isnan(value)) point.validationLoss = value;
         },
     .values =
         [](const StepPoint& point, const RunFacts&) {
           return point.validationLoss ? lossText(*point.validationLoss)
                                       : std::string("Not measured yet: it comes with every validation.");
         },
     .meaningOf = validationMeaning},
    ofRun<&RunMetrics::auxLoss>(
        {.metric = Metric::auxLoss,
         .id = "aux_loss",
         .column = "aux_loss",
         .name = "Aux loss",
         .unit = "coefficient × value",
         .formula = "\u03a3 coefficient \u00b7 value, over all balance terms but z",
         .meaning = "What the balance terms add to the loss that is minimised.",
         .legend = "aux",
         .axisFrom = 0,
         .values = [](const StepPoint& point,
                      const RunFacts& facts) { return sumOfTerms(point, facts, false, point.auxLoss); }}),
    ofRun<&RunMetrics::zLoss>(
        {.metric = Metric::zLoss,
         .id = "z_loss",
         .column = "z_loss",
         .name = "z loss",
         .unit = "coefficient × value",
         .formula = "\u03a3 coefficient \u00b7 mean (log \u03a3 exp z)\u00b2",
         .meaning = "Keeps the router's logits small, which keeps training stable.",
         .legend = "z",
         .axisFrom = 0,
         .values = [](const StepPoint& point,
                      const RunFacts& facts) { return sumOfTerms(point, facts, true, point.zLoss); }}),
    ofRun<&RunMetrics::gradientNorm>(
        {.metric = Metric::gradientNorm,
         .id = "gradient_norm",
         .column = "gradient_norm",
         .name = "Gradient norm",
         .formula = "\u221a(\u03a3 g\u00b2) over all trained weights, before clipping",
         .meaning = "How steep the loss is where the model stands.",
         .values = [](const StepPoint& point, const RunFacts&) { return "= " + figureText(point.gradientNorm); }}),
    ofRun<&RunMetrics::learningRate>(
        {.metric = Metric::learningRate,
         .id = "learning_rate",
         .column = "learning_rate",
         .name = "Learning rate",
         .formula = "schedule at this step",
         .meaning = "How far one step goes.",
         .values = [](const StepPoint& point, const RunFacts&) { return "= " + figureText(point.learningRate); }}),
    ofRun<&RunMetrics::tokensPerSecond>({.metric = Metric::tokensPerSecond,
                                         .id = "tokens_per_second",
                                         .column = "tokens_per_second",
                                         .name = "Speed",
                                         .unit = "tokens / s",
                                         .formula = "tokens of the step / its seconds",
                                         .meaning = "Training alone: validation, checkpoints and pauses do not count.",
                                         .form = MetricForm::count,
                                         .axisFrom = 0,
                                         .values =
                                             [](const StepPoint& point, const RunFacts& facts) {
                                               const auto tokens = static_cast<double>(facts.tokens);
                                               return point.tokensPerSecond > 0
                                                          ? figureText(tokens) + " / " +
                                                                figureText(tokens / point.tokensPerSecond) +
                                                                " s = " + figureText(point.tokensPerSecond) +
                                                                " tokens / s"
                                                          : std::string("Not measured yet.");
                                             }}),
    loadPercentile<0>({.metric = Metric::loadLeast,
                       .id = "load_least",
                       .formula = "least of c / mean c, over all experts of all layers",
                       .legend = "least"}),
    loadPercentile<10>({.metric = Metric::loadLow,
                        .id = "load_10_percent",
                        .formula = "10th percentile of c / mean c, over all experts of all layers",
                        .legend = "10 %"}),
    loadPercentile<50>({.metric = Metric::loadMedian,
                        .id = "load_median",
                        .formula = "median of c / mean c, over all experts of all layers",
                        .legend = "median"}),
    loadPercentile<90>({.metric = Metric::loadHigh,
                        .id = "load_90_percent",
                        .formula = "90th percentile of c / mean c, over all experts of all layers",
                        .legend = "90 %"}),
    loadPercentile<100>({.metric = Metric::loadMost,
                         .id = "load_most",
                         .formula = "most of c / mean c, over all experts of all layers",
                         .legend = "most"}),
    ofLayer<&LayerMetrics::maxVio>(
        {.metric = Metric::maxVio,
         .id = "max_vio",
         .name = "MaxVio",
         .formula = "max c / mean c \u2212 1",
         .meaning =
             "How far the busiest expert is above its fair share; 0 is perfect balance. c counts what was asked, "
             "before capacity.",
         .form = MetricForm::decimals,
         .axisFrom = 0,
         .axisTo = 0.5,
         .layerValues =
             [](const LayerPoint& layer, const RunFacts&) {
               return measured(layer.maxVio, largestCount(layer) + " / " + figureText(meanCount(layer)) +
                                                 " \u2212 1 = " + figureText(layer.maxVio));
             }}),
    ofLayer<&LayerMetrics::cv2>(
        {.metric = Metric::cv2,
         .id = "cv2",
         .name = "CV\u00b2 of the loads",
         .formula = "variance of c / (mean c)\u00b2",
         .meaning = "How much the loads differ, all experts together; 0 is perfect balance.",
         .form = MetricForm::decimals,
         .axisFrom = 0,
         .layerValues = [](const LayerPoint& layer,
                           const RunFacts&) { return variationText(layer.cv2, meanCount(layer)); }}),
    ofLayer<&LayerMetrics::dropRate>({.metric = Metric::dropRate,
                                      .id = "dropped_share",
                                      .name = "Dropped assignments",
                                      .unit = "share",
                                      .formula = "assignments refused / asked",
                                      .meaning = "Refused because the expert's slots were full.",
                                      .form = MetricForm::share,
                                      .axisFrom = 0,
                                      .axisTo = 0.01,
                                      .layerValues =
                                          [](const LayerPoint& layer, const RunFacts&) {
                                            const auto share = static_cast<double>(layer.dropRate);
                                            return measured(layer.dropRate,
                                                            (layer.assignments > 0
                                                                 ? figureText(std::round(share * layer.assignments)) +
                                                                       " / " + figureText(layer.assignments) + " = "
                                                                 : "= ") +
                                                                shareText(share));
                                          }}),
    ofLayer<&LayerMetrics::tokenDropRate>({.metric = Metric::tokenDropRate,
                                           .id = "dropped_tokens_share",
                                           .name = "Dropped tokens",
                                           .unit = "share",
                                           .formula = "tokens no expert took / T",
                                           .meaning = "They pass the layer by the residual alone.",
                                           .form = MetricForm::share,
                                           .axisFrom = 0,
                                           .axisTo = 0.01,
                                           .layerValues =
                                               [](const LayerPoint& layer, const RunFacts& facts) {
                                                 const auto tokens = static_cast<double>(facts.tokens),
                                                            share = static_cast<double>(layer.tokenDropRate);
                                                 return measured(layer.tokenDropRate,
                                                                 figureText(std::round(share * tokens)) + " / " +
                                                                     figureText(tokens) + " = " + shareText(share));
                                               }}),
    ofLayer<&LayerMetrics::routerEntropy>({.metric = Metric::routerEntropy,
                                           .id = "router_entropy_nats",
                                           .name = "Token entropy",
                                           .unit = "nats",
                                           .formula = "mean over tokens of \u2212\u03a3 p log p",
                                           .meaning = "How undecided the router is about a single token.",
                                           .form = MetricForm::decimals,
                                           .axisFrom = 0,
                                           .layerValues =
                                               [](const LayerPoint& layer, const RunFacts&) {
                                                 const auto experts = static_cast<double>(layer.load.size());
                                                 return measured(layer.routerEntropy,
                                                                 figureText(layer.routerEntropy) +
                                                                     " nats of at most log " + figureText(experts) +
                                                                     " = " + figureText(std::log(experts)) + " nats");
                                               }}),
    ofLayer<&LayerMetrics::loadEntropy>(
        {.metric = Metric::loadEntropy,
         .id = "load_entropy",
         .name = "Load entropy",
         .unit = "0 to 1",
         .formula = "\u2212\u03a3 q log q / log E, q = c / \u03a3 c",
         .meaning = "How evenly all tokens together use the experts; 1 is perfect balance.",
         .form = MetricForm::decimals,
         .axisTo = 1,
         .layerValues =
             [](const LayerPoint& layer, const RunFacts&) {
               const auto experts = static_cast<double>(layer.load.size());
               return measured(layer.loadEntropy,
                               experts > 1 ? figureText(static_cast<double>(layer.loadEntropy) * std::log(experts)) +
                                                 " / log " + figureText(experts) + " = " + figureText(layer.loadEntropy)
                                           : "1: a single expert");
             }}),
    ofLayer<&LayerMetrics::meanProbEntropy>(
        {.metric = Metric::meanProbEntropy,
         .id = "mean_probability_entropy_nats",
         .name = "Entropy of the mean",
         .unit = "nats",
         .formula = "H(mean over tokens of p)",
         .meaning = "How evenly the router's probabilities fall on the experts, all tokens together.",
         .form = MetricForm::decimals,
         .axisFrom = 0,
         .layerValues =
             [](const LayerPoint& layer, const RunFacts&) {
               return measured(layer.meanProbEntropy, "= " + figureText(layer.meanProbEntropy) + " nats");
             }}),
    ofLayer<&LayerMetrics::margin>(
        {.metric = Metric::margin,
         .id = "margin",
         .name = "Margin",
         .unit = "ranking value",
         .formula = "mean over tokens of (smallest chosen r \u2212 largest not chosen r)",
         .meaning = "How close another choice was, in the values the router ranks by.",
         .layerValues = [](const LayerPoint& layer,
                           const RunFacts&) { return measured(layer.margin, "= " + figureText(layer.margin)); }}),
    ofLayer<&LayerMetrics::biasJaccard>(
        {.metric = Metric::biasJaccard,
         .id = "bias_jaccard",
         .name = "Before / after bias",
         .unit = "Jaccard",
         .formula = "mean over tokens of |A \u2229 B| / |A \u222a B|",
         .meaning = "A is chosen with the selection bias, B without: at 1 the bias changes no choice.",
         .axisFrom = 0,
         .axisTo = 1,
         .layerValues =
             [](const LayerPoint& layer, const RunFacts&) {
               return measured(layer.biasJaccard, "= " + figureText(layer.biasJaccard));
             }}),
    ofLayer<&LayerMetrics::unused>({.metric = Metric::unused,
                                    .id = "unused_experts",
                                    .name = "Unused experts",
                                    .unit = "number",
                                    .formula = "experts with c = 0 in this step",
                                    .meaning = "Unused for one step is not dead: see dead experts.",
                                    .axisFrom = 0,
                                    .axisTo = 1,
                                    .layerValues =
                                        [](const LayerPoint& layer, const RunFacts&) {
                                          return measured(layer.unused,
                                                          figureText(layer.unused) + " of " +
                                                              figureText(static_cast<double>(layer.load.size())));
                                        }}),
    ofLayer<&LayerMetrics::dead>(
        {.metric = Metric::dead,
         .id = "dead_experts",
         .name = "Dead experts",
         .unit = "number",
         .formula = "experts whose mean load over the alert's window is below its threshold",
         .meaning = "These raise the alerts.",
         .axisFrom = 0,
         .axisTo = 1,
         .layerValues =
             [](const LayerPoint& layer, const RunFacts& facts) {
               return std::isfinite(layer.dead)
                          ? figureText(layer.dead) + " of " + figureText(static_cast<double>(layer.load.size()))
                          : "Not known before " + std::to_string(facts.deadWindow) + " steps are there.";
             },
         .formulaOf =
             [](const RunFacts& facts) {
               return "experts whose mean load over " + std::to_string(facts.deadWindow) + " steps is below " +
                      shareText(facts.deadBelow) + " of the fair share";
             }}),
    ofLayer<&LayerMetrics::importanceCv2>(
        {.metric = Metric::importanceCv2,
         .id = "importance_cv2",
         .name = "CV\u00b2 of the importance",
         .formula = "variance of \u03a3 p / (mean \u03a3 p)\u00b2, p summed over tokens",
         .meaning = "The same of the router's probabilities instead of its choices.",
         .form = MetricForm::decimals,
         .axisFrom = 0,
         .layerValues =
             [](const LayerPoint& layer, const RunFacts& facts) {
               const auto experts = static_cast<double>(layer.load.size());
               return variationText(layer.importanceCv2, experts > 0 ? static_cast<double>(facts.tokens) / experts : 0);
             }}),
    ofLayer<&LayerMetrics::languageGradient>(
        {.metric = Metric::languageGradient,
         .id = "language_gradient",
         .name = "Language loss's pull",
         .unit = "norm on the router",
         .formula = "\u2016gradient of the language loss\u2016 on the router's weights",
         .meaning = "Looked at every two hundred steps: it takes a pass of its own.",
         .axisFrom = 0,
         .nowAndThen = true,
         .layerValues =
             [](const LayerPoint& layer, const RunFacts&) {
               return measured(layer.languageGradient, "= " + figureText(layer.languageGradient));
             }}),
    ofLayer<&LayerMetrics::balanceGradient>(
        {.metric = Metric::balanceGradient,
         .id = "balance_gradient",
         .name = "Balancer's pull",
         .unit = "norm on the router",
         .formula = "\u2016gradient of \u03a3 coefficient \u00b7 value\u2016 / \u2016gradient of the language "
                    "loss\u2016, on the router's weights",
         .meaning =
             "How hard this layer's balance terms (without z) pull at its router beside the language loss alone, "
             "without the terms of any layer. The terms are looked at every ten steps, the language loss every "
             "two hundred: that takes a pass of its own.",
         .axisFrom = 0,
         .nowAndThen = true,
         .layerValues = pullText}),
    {.metric = Metric::assignments,
     .scope = MetricScope::layer,
     .storage = MetricStorage::block,
     .name = "Assignments",
     .formula = "\u03a3 c of the step",
     .meaning = "What all tokens asked for together.",
     .form = MetricForm::count,
     .axisFrom = 0,
     .ofLayer = [](const LayerPoint& layer) { return layer.assignments; },
     .putLayer = [](LayerPoint& layer, double value) { layer.assignments = std::isnan(value) ? 0 : value; },
     .layerValues = [](const LayerPoint& layer, const RunFacts&) { return "= " + figureText(layer.assignments); }},
    {.metric = Metric::mutualInformation,
     .scope = MetricScope::layer,
     .storage = MetricStorage::derived,
     .name = "Mutual information",
     .unit = "nats",
     .formula = "H(mean over tokens of p) \u2212 mean over tokens of H(p)",
     .meaning = "High where the experts are specialised and all of them used.",
     .form = MetricForm::decimals,
     .axisFrom = 0,
     .ofLayer =
         [](const LayerPoint& layer) { return static_cast<double>(layer.meanProbEntropy - layer.routerEntropy); },
     .layerValues =
         [](const LayerPoint& layer, const RunFacts&) {
           return measured(layer.meanProbEntropy,
                           figureText(layer.meanProbEntropy) + " \u2212 " + figureText(layer.routerEntropy) + " = " +
                               figureText(layer.meanProbEntropy - layer.routerEntropy) + " nats");
         }},
};

constexpr std::size_t kRunMetrics = static_cast<std::size_t>(Metric::maxVio);

constexpr bool inOrder() {
  for (std::size_t i = 0; i < std::size(kRows); ++i)
    if (kRows[i].metric != static_cast<Metric>(i) || isPerLayer(kRows[i].metric) != (kRows[i].ofLayer != nullptr))
      return false;
  return true;
}
static_assert(inOrder(), "a row is missing, or stands elsewhere than in the enumeration");

}  // namespace

std::span<const MetricRow> metricRows() { return kRows; }
std::span<const MetricRow> metricsOfRun() { return std::span(kRows).first(kRunMetrics); }
std::span<const MetricRow> metricsOfLayers() { return std::span(kRows).subspan(kRunMetrics); }
const MetricRow& rowOf(Metric metric) { return kRows[static_cast<std::size_t>(metric)]; }

}  // namespace moe
