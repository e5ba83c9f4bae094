#include "core/explain/explanation_token.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/telemetry/figure_text.h"

namespace moe {
namespace {

using Score = RouterFacts::Score;
using Weight = RouterFacts::Weight;

constexpr double kPlain = 6;       // logits up to here are raised as they are; e^z of larger ones is no number to read
constexpr std::size_t kTerms = 4;  // of a sum that are written out

double valueAt(const std::vector<float>& values, int expert) {
  return static_cast<std::size_t>(expert) < values.size()
             ? static_cast<double>(values[static_cast<std::size_t>(expert)])
             : NAN;
}
std::string named(const char* what, int expert) { return std::string(what) + " of expert " + std::to_string(expert); }

/// Terms with + between; the first few where there are many.
std::string sum(const std::vector<std::string>& terms) {
  std::string text;
  for (std::size_t i = 0; i < terms.size() && (i < kTerms || terms.size() == kTerms + 1); ++i)
    text += (i == 0 ? "" : " + ") + terms[i];
  return terms.size() > kTerms + 1 ? text + " + \u2026" : text;
}

/// e^z, all z moved by the same amount where they are large: the shares stay.
struct Powers {
  double shift = 0;
  explicit Powers(const std::vector<double>& logits) {
    const double largest = logits.empty() ? 0 : *std::max_element(logits.begin(), logits.end());
    if (largest > kPlain) shift = largest;
  }
  double operator()(double z) const { return std::exp(z - shift); }
  std::string text(double z) const {
    return "e^" + (shift > 0 ? "(" + figureText(z) + " \u2212 " + figureText(shift) + ")" : figureText(z));
  }
};

/// The share that one of some logits has of their softmax: "e^1.2 / (e^1.2 + e^0.3) = 3.32 / 4.67".
std::string softmaxText(double z, const std::vector<double>& logits) {
  const Powers power(logits);
  std::vector<std::string> terms;
  double total = 0;
  for (const double other : logits) terms.push_back(power.text(other)), total += power(other);
  return power.text(z) + " / (" + sum(terms) + ") = " + figureText(power(z)) + " / " + figureText(total);
}

std::vector<double> chosenOf(const TokenLayerRouting& layer, const std::vector<float>& values) {
  std::vector<double> chosen;
  for (const int expert : layer.experts) chosen.push_back(valueAt(values, expert));
  return chosen;
}

Explanation weightOf(const TokenLayerRouting& layer, std::size_t place, std::int64_t step, const RouterFacts* facts) {
  const int expert = layer.experts[place];
  const double weight = place < layer.weights.size() ? static_cast<double>(layer.weights[place]) : NAN;
  Explanation text{nameAt(named("Weight", expert), layer.layer, step), "w, as the weigh stage says",
                   "= " + figureText(weight),
                   "What the expert's output is multiplied by before the chosen ones are added up."};
  if (!facts) return text;
  const double s = valueAt(layer.probabilities, expert);
  const std::string scaled = facts->scale == 1 ? "" : " \u00b7 " + figureText(facts->scale);
  double computed = NAN;
  switch (facts->weight) {
    case Weight::one: text.formula = "w = 1", text.values = "= " + figureText(weight); return text;
    case Weight::score:
      text.formula = "w = s" + std::string(scaled.empty() ? "" : " \u00b7 scale");
      text.values = figureText(s) + scaled;
      computed = s * facts->scale;
      break;
    case Weight::renormalised: {
      text.formula = "w = s / (\u03a3 s of the chosen" + std::string(facts->epsilon > 0 ? " + \u03b5)" : ")") +
                     (scaled.empty() ? "" : " \u00b7 scale");
      std::vector<std::string> terms;
      double total = 0;
      for (const double one : chosenOf(layer, layer.probabilities)) terms.push_back(figureText(one)), total += one;
      text.values = figureText(s) + " / (" + sum(terms) + ")" + scaled;
      computed = s / (total + facts->epsilon) * facts->scale;
      break;
    }
    case Weight::softmaxSelected: {
      text.formula = "w = e^z / \u03a3 e^z of the chosen" + std::string(scaled.empty() ? "" : ", \u00b7 scale");
      const std::vector<double> logits = chosenOf(layer, layer.logits);
      const Powers power(logits);
      double total = 0;
      for (const double one : logits) total += power(one);
      text.values = softmaxText(valueAt(layer.logits, expert), logits) + scaled;
      computed = power(valueAt(layer.logits, expert)) / total * facts->scale;
      break;
    }
  }
  if (weight == 0) {
    text.values = "0: the assignment was refused.";
  } else if (std::abs(computed - weight) <= 0.01 * std::abs(weight)) {
    text.values += " = " + figureText(weight);
  } else {
    text.values = "= " + figureText(weight);  // weighed over a set that capacity changed
  }
  return text;
}

Explanation marginOf(const TokenLayerRouting& layer, std::int64_t step, const RouterFacts* facts) {
  const std::string ranking = facts && !facts->ranking.empty() ? ", " + facts->ranking : "";
  Explanation text{nameAt("Margin", layer.layer, step), "smallest chosen r \u2212 largest not chosen r" + ranking,
                   "= " + figureText(layer.margin), "How close another choice was: at 0 two experts are equally good."};
  int last = -1, next = -1;
  for (int e = 0; e < static_cast<int>(layer.ranking.size()); ++e) {
    const bool chosen = std::find(layer.experts.begin(), layer.experts.end(), e) != layer.experts.end();
    int& best = chosen ? last : next;
    const double value = valueAt(layer.ranking, e);
    if (best < 0 || (chosen ? value < valueAt(layer.ranking, best) : value > valueAt(layer.ranking, best))) best = e;
  }
  if (last >= 0 && next >= 0 && std::isfinite(valueAt(layer.ranking, next)))
    text.values = figureText(valueAt(layer.ranking, last)) + " (expert " + std::to_string(last) + ") \u2212 " +
                  figureText(valueAt(layer.ranking, next)) + " (expert " + std::to_string(next) +
                  ") = " + figureText(layer.margin);
  return text;
}

Explanation explainEntropy(const TokenLayerRouting& layer, double entropy, std::int64_t step) {
  const double total = std::accumulate(layer.probabilities.begin(), layer.probabilities.end(), 0.0);
  std::vector<double> shares;
  for (const float s : layer.probabilities) shares.push_back(static_cast<double>(s) / total);
  std::sort(shares.rbegin(), shares.rend());
  std::vector<std::string> terms;
  for (const double share : shares) terms.push_back(figureText(share) + " log " + figureText(share));
  const auto experts = static_cast<double>(shares.size());
  return {nameAt("Entropy of the router", layer.layer, step), "\u2212\u03a3 P log P, P = s / \u03a3 s",
          "\u2212(" + sum(terms) + ") = " + figureText(entropy) + " nats of at most log " + figureText(experts) +
              " = " + figureText(std::log(experts)) + " nats",
          "How undecided the router is about this token: 0 for one expert alone, the most where all are equal."};
}

Explanation scoreOf(const TokenLayerRouting& layer, int expert, std::int64_t step, const RouterFacts* facts) {
  const double s = valueAt(layer.probabilities, expert), z = valueAt(layer.logits, expert);
  Explanation text{nameAt(named("Score", expert), layer.layer, step), "s, from the router's logits",
                   "= " + figureText(s), "What the router thinks of this expert for this token."};
  if (!facts || !std::isfinite(z)) return text;
  switch (facts->score) {
    case Score::none: break;
    case Score::softmax: {
      text.formula = "s = e^z / \u03a3 e^z over all experts";
      std::vector<double> logits(layer.logits.begin(), layer.logits.end());
      text.values = softmaxText(z, logits) + " = " + figureText(s);
      break;
    }
    case Score::sigmoid:
      text.formula = "s = 1 / (1 + e^\u2212z)";
      text.values = "1 / (1 + e^" + figureText(-z) + ") = " + figureText(s);
      break;
    case Score::identity: text.formula = "s = z"; break;
  }
  return text;
}

}  // namespace

Explanation explainTokenLoss(const TokenRouting& token, std::int64_t step) {
  Explanation text{nameAt("Loss of \u201c" + token.text + "\u201d", -1, step),
                   "\u2212log p(token, given those before it)", "No loss: nothing stands before it.",
                   "How surprised the model is by this token: 0 if it was certain."};
  if (token.given)
    text.meaning += " Its context had run over: given are only the " + std::to_string(*token.given) +
                    " tokens before it that the model still holds.";
  if (std::isfinite(token.loss))
    text.values = "\u2212log " + figureText(std::exp(-token.loss)) + " = " + figureText(token.loss) +
                  " nats = " + figureText(token.loss / std::log(2.0)) + " bits";
  return text;
}

std::optional<double> tokenEntropy(const TokenLayerRouting& layer) {
  double total = 0, weighted = 0;
  for (const float s : layer.probabilities) {
    if (!(s >= 0)) return std::nullopt;
    total += static_cast<double>(s);
    if (s > 0) weighted += static_cast<double>(s) * std::log(static_cast<double>(s));
  }
  if (!(total > 0)) return std::nullopt;
  return std::max(0.0, std::log(total) - weighted / total);
}

std::vector<TokenExplanation> explainToken(const TokenLayerRouting& layer, std::int64_t step,
                                           const RouterFacts* facts) {
  std::vector<TokenExplanation> all;
  for (std::size_t i = 0; i < layer.experts.size(); ++i)
    all.push_back({TokenQuantity::weight, layer.experts[i], weightOf(layer, i, step, facts)});
  if (!layer.probabilities.empty() && layer.experts.size() < layer.probabilities.size())
    all.push_back({TokenQuantity::margin, -1, marginOf(layer, step, facts)});
  if (const auto entropy = tokenEntropy(layer))
    all.push_back({TokenQuantity::entropy, -1, explainEntropy(layer, *entropy, step)});
  for (int e = 0; e < static_cast<int>(layer.probabilities.size()); ++e)
    all.push_back({TokenQuantity::score, e, scoreOf(layer, e, step, facts)});
  return all;
}

const RouterFacts* routerOf(const RunFacts& facts, int layer) {
  const auto found = std::find_if(facts.routers.begin(), facts.routers.end(),
                                  [layer](const RouterFacts& one) { return one.layer == layer; });
  return found == facts.routers.end() ? nullptr : &*found;
}

}  // namespace moe
