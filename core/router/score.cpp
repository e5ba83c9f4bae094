#include "core/router/score.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace moe {
namespace {

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
    for (std::int64_t t = 0; t < tokens; ++t) softmaxRow(s + t * experts, z + t * experts, keep, experts);
    return;
  }
  const std::int64_t n = tokens * experts;
  if (kind == Recipe::Score::sigmoid)
    for (std::int64_t i = 0; i < n; ++i) s[i] = 1 / (1 + std::exp(-z[i]));
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

}  // namespace moe
