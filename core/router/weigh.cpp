#include "core/router/weigh.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/config/table.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {
namespace {

using Kind = Recipe::Weigh::Kind;

template <class S>
double sumOfSelected(const S* s, const std::int32_t* set, std::int64_t slots) {
  double sum = 0;
  for (std::int64_t j = 0; j < slots; ++j)
    if (set[j] >= 0) sum += static_cast<double>(s[set[j]]);
  return sum;
}

template <class S>
void softmaxOfSelected(S* w, const S* z, const std::int32_t* set, std::int64_t slots, double scale) {
  S largest = -std::numeric_limits<S>::infinity();
  for (std::int64_t j = 0; j < slots; ++j)
    if (set[j] >= 0) largest = std::max(largest, z[set[j]]);
  double sum = 0;
  for (std::int64_t j = 0; j < slots; ++j) {
    w[j] = set[j] < 0 ? S(0) : std::exp(z[set[j]] - largest);
    sum += static_cast<double>(w[j]);
  }
  if (!(sum > 0)) return;
  for (std::int64_t j = 0; j < slots; ++j) w[j] = static_cast<S>(static_cast<double>(w[j]) * scale / sum);
}

}  // namespace

template <class S>
void weigh(S* w, const WeighInput<S>& in, const Recipe::Weigh& recipe) {
  const S scale = static_cast<S>(recipe.scale);
  for (std::int64_t t = 0; t < in.tokens; ++t, w += in.slots) {
    const std::int32_t* set = in.set.data() + t * in.slots;
    const S* s = in.scores ? in.scores + t * in.experts : nullptr;
    switch (recipe.kind) {
      case Kind::score:
        for (std::int64_t j = 0; j < in.slots; ++j) w[j] = set[j] < 0 ? S(0) : s[set[j]] * scale;
        break;
      case Kind::renormalised: {
        const double sum = sumOfSelected(s, set, in.slots) + recipe.epsilon;
        const S factor = sum != 0 ? static_cast<S>(recipe.scale / sum) : S(0);
        for (std::int64_t j = 0; j < in.slots; ++j) w[j] = set[j] < 0 ? S(0) : s[set[j]] * factor;
        break;
      }
      case Kind::softmaxSelected: softmaxOfSelected(w, in.logits + t * in.experts, set, in.slots, recipe.scale); break;
      case Kind::one:
        for (std::int64_t j = 0; j < in.slots; ++j) w[j] = set[j] < 0 ? S(0) : scale;
        break;
    }
  }
}

template <class S>
void weighBackward(S* ds, S* dz, const S* dw, const S* w, const WeighInput<S>& in, const Recipe::Weigh& recipe) {
  if (recipe.kind == Kind::one) return;
  const double scale = recipe.scale;
  for (std::int64_t t = 0; t < in.tokens; ++t, dw += in.slots, w += in.slots) {
    const std::int32_t* set = in.set.data() + t * in.slots;
    S *dsRow = ds + t * in.experts, *dzRow = dz + t * in.experts;
    if (recipe.kind == Kind::score) {
      for (std::int64_t j = 0; j < in.slots; ++j)
        if (set[j] >= 0) dsRow[set[j]] += dw[j] * static_cast<S>(scale);
      continue;
    }
    // Both normalised kinds: a common shift by sum_j dw_j w_j / scale.
    double inner = 0;
    for (std::int64_t j = 0; j < in.slots; ++j)
      if (set[j] >= 0) inner += static_cast<double>(dw[j]) * static_cast<double>(w[j]);
    if (recipe.kind == Kind::renormalised) {
      const double sum = sumOfSelected(in.scores + t * in.experts, set, in.slots) + recipe.epsilon;
      if (sum == 0) continue;
      for (std::int64_t j = 0; j < in.slots; ++j)
        if (set[j] >= 0) dsRow[set[j]] += static_cast<S>((scale * static_cast<double>(dw[j]) - inner) / sum);
    } else {
      if (scale == 0) continue;
      for (std::int64_t j = 0; j < in.slots; ++j)
        if (set[j] >= 0)
          dzRow[set[j]] += static_cast<S>(static_cast<double>(w[j]) * (static_cast<double>(dw[j]) - inner / scale));
    }
  }
}

template void weigh<float>(float*, const WeighInput<float>&, const Recipe::Weigh&);
template void weigh<double>(double*, const WeighInput<double>&, const Recipe::Weigh&);
template void weighBackward<float>(float*, float*, const float*, const float*, const WeighInput<float>&,
                                   const Recipe::Weigh&);
template void weighBackward<double>(double*, double*, const double*, const double*, const WeighInput<double>&,
                                    const Recipe::Weigh&);

const SettingTable<Recipe>& weighRows() {
  using namespace rows;
  static const SettingTable<Recipe> table = SettingTable<Recipe>{
      "weigh",
      "Weigh",
      "How much each chosen expert counts in the token's output.",
      {choice<&Recipe::weigh, &Recipe::Weigh::kind>(
           {.path = "weigh.kind", .label = "Weight", .tooltip = "What the weight of a chosen expert is."},
           Choices<Recipe::Weigh::Kind>{
               {Recipe::Weigh::Kind::score,
                {"score", "Score", "w = s", "The score itself: weights of a token may sum to less than 1."}},
               {Recipe::Weigh::Kind::renormalised,
                {"renormalised", "Renormalised", "w = s / (Σ s + ε)", "Scores of the chosen, made to sum to 1."}},
               {Recipe::Weigh::Kind::softmaxSelected,
                {"softmax_selected", "Softmax of the chosen", "w = softmax of the chosen z",
                 "A softmax over the logits of the chosen experts alone."}},
               {Recipe::Weigh::Kind::one,
                {"one", "One", "w = 1",
                 "Every chosen expert counts fully; the router learns nothing from the language loss."}}}),
       value<&Recipe::weigh, &Recipe::Weigh::epsilon>({.path = "weigh.epsilon",
                                                       .label = "ε",
                                                       .maximum = 1000,
                                                       .step = 1e-6,
                                                       .formula = "Σ s + ε",
                                                       .tooltip = "Added to the sum the weights are divided by."})
           .when([](const Recipe& recipe) { return recipe.weigh.kind == Recipe::Weigh::Kind::renormalised; }),
       value<&Recipe::weigh, &Recipe::Weigh::scale>({.path = "weigh.scale",
                                                     .label = "Scale",
                                                     .minimum = 0.0001,
                                                     .maximum = 1e6,
                                                     .step = 0.1,
                                                     .formula = "w · scale",
                                                     .tooltip = "Multiplies every weight last."}),
       choice<&Recipe::weigh, &Recipe::Weigh::appliesTo>(
           {.path = "weigh.applies_to", .label = "Weight on", .tooltip = "Where the weight is multiplied in."},
           Choices<Recipe::Weigh::AppliesTo>{
               {Recipe::Weigh::AppliesTo::output,
                {"output", "Output", "y += w FFN(x)", "The expert's output is weighted."}},
               {Recipe::Weigh::AppliesTo::input,
                {"input", "Input", "y += FFN(w x)",
                 "The expert's input is weighted, which its non-linearity then feels."}}})},
      {}}.withDefaultsOf();
  return table;
}

}  // namespace moe
