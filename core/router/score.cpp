#include "core/router/score.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/base/vector_math.h"
#include "core/config/table.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {
namespace {

// f32 rows are vectorised; f64 is the definition.
SWITCHYARD_VECTORISED void softmaxRow(float* s, const float* z, std::int64_t experts) {
  const float largest = vectorMax(z, experts);
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t e = 0; e < experts; ++e) {
    s[e] = vectorExp(z[e] - largest);
    sum += s[e];
  }
  const float scale = 1.0f / sum;
#pragma omp simd
  for (std::int64_t e = 0; e < experts; ++e) s[e] *= scale;
}

SWITCHYARD_VECTORISED void sigmoids(float* s, const float* z, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) s[i] = vectorSigmoid(z[i]);
}
void sigmoids(double* s, const double* z, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) s[i] = 1 / (1 + std::exp(-z[i]));
}

template <class S>
void softmaxRow(S* s, const S* z, const S* keep, std::int64_t experts) {
  S largest = -std::numeric_limits<S>::infinity();
  for (std::int64_t e = 0; e < experts; ++e)
    if (!keep || keep[e] != 0) largest = std::max(largest, z[e]);
  double sum = 0;
  for (std::int64_t e = 0; e < experts; ++e) {
    s[e] = keep && keep[e] == 0 ? S(0) : std::exp(z[e] - largest);
    sum += static_cast<double>(s[e]);
  }
  const S scale = static_cast<S>(1 / sum);
  for (std::int64_t e = 0; e < experts; ++e) s[e] *= scale;
}

}  // namespace

template <class S>
void score(S* s, const S* z, const S* keep, Recipe::Score kind, std::int64_t tokens, std::int64_t experts) {
  if (kind == Recipe::Score::softmax) {
    for (std::int64_t t = 0; t < tokens; ++t, s += experts, z += experts) {
      if constexpr (std::is_same_v<S, float>)
        if (!keep) {
          softmaxRow(s, z, experts);
          continue;
        }
      softmaxRow(s, z, keep, experts);
    }
    return;
  }
  const std::int64_t n = tokens * experts;
  if (kind == Recipe::Score::sigmoid)
    sigmoids(s, z, n);
  else
    std::copy(z, z + n, s);
  if (!keep) return;
  const S masked = kind == Recipe::Score::sigmoid ? S(0) : -std::numeric_limits<S>::infinity();
  for (std::int64_t i = 0; i < n; ++i)
    if (keep[i % experts] == 0) s[i] = masked;
}

template <class S>
void scoreBackward(S* dz, const S* ds, const S* s, Recipe::Score kind, std::int64_t tokens, std::int64_t experts) {
  const std::int64_t n = tokens * experts;
  switch (kind) {
    case Recipe::Score::identity:
      for (std::int64_t i = 0; i < n; ++i) dz[i] += ds[i];
      return;
    case Recipe::Score::sigmoid:
      for (std::int64_t i = 0; i < n; ++i) dz[i] += ds[i] * s[i] * (1 - s[i]);
      return;
    case Recipe::Score::softmax:
      for (std::int64_t t = 0; t < tokens; ++t, dz += experts, ds += experts, s += experts) {
        S inner = 0;
        for (std::int64_t e = 0; e < experts; ++e) inner += s[e] * ds[e];
        for (std::int64_t e = 0; e < experts; ++e) dz[e] += s[e] * (ds[e] - inner);
      }
      return;
  }
}

template void score<float>(float*, const float*, const float*, Recipe::Score, std::int64_t, std::int64_t);
template void score<double>(double*, const double*, const double*, Recipe::Score, std::int64_t, std::int64_t);
template void scoreBackward<float>(float*, const float*, const float*, Recipe::Score, std::int64_t, std::int64_t);
template void scoreBackward<double>(double*, const double*, const double*, Recipe::Score, std::int64_t, std::int64_t);

const SettingTable<Recipe>& scoreRows() {
  using namespace rows;
  static const SettingTable<Recipe> table = SettingTable<Recipe>{
      "score",
      "Score",
      "Turns logits into the scores that weights and balance terms are made of.",
      {choice<&Recipe::score>(
          {.path = "score.kind", .label = "Score", .tooltip = "How a logit becomes a score."},
          Choices<Recipe::Score>{
              {Recipe::Score::softmax,
               {"softmax", "Softmax", "s = exp z / Σ exp z", "Experts compete: a token's scores sum to 1."}},
              {Recipe::Score::sigmoid,
               {"sigmoid", "Sigmoid", "s = 1 / (1 + exp(−z))", "Each expert is scored for itself, between 0 and 1."}},
              {Recipe::Score::identity,
               {"identity", "Identity", "s = z",
                "The logits are the scores: not probabilities, they may be negative."}}})},
      {}}.withDefaultsOf();
  return table;
}

}  // namespace moe
