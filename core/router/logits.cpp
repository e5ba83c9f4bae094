#include "core/router/logits.h"

#include <vector>

#include "core/config/table.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"

namespace moe {
namespace {

/// Sixteen partial sums in a fixed order: vectorises without reassociation flags, the same on every thread count.
template <class S>
S dot(const S* a, const S* b, std::int64_t n) {
  constexpr int kLanes = 16;
  S lane[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    for (int l = 0; l < kLanes; ++l) lane[l] += a[i + l] * b[i + l];
  S sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (S value : lane) sum += value;
  return sum;
}

}  // namespace

template <class S>
void logitsForward(const TensorView& out, const TensorView& x, const TensorView& weight, const TensorView& bias) {
  const std::int64_t tokens = x.shape[0], width = x.shape[1], experts = weight.shape[0];
  const S *px = x.as<S>(), *pw = weight.as<S>(), *pb = bias.empty() ? nullptr : bias.as<S>();
  S* po = out.as<S>();
  for (std::int64_t t = 0; t < tokens; ++t)
    for (std::int64_t e = 0; e < experts; ++e)
      po[t * experts + e] = dot(px + t * width, pw + e * width, width) + (pb ? pb[e] : S(0));
}

template <class S>
void logitsBackward(const TensorView& dWeight, const TensorView& dBias, const TensorView& dx, const TensorView& dz,
                    const TensorView& x, const TensorView& weight, const TensorView& jitter) {
  const std::int64_t tokens = x.shape[0], width = x.shape[1], experts = weight.shape[0];
  const S *pz = dz.as<S>(), *px = x.as<S>(), *pw = weight.as<S>();
  if (!dWeight.empty())
    for (std::int64_t e = 0; e < experts; ++e) {
      S* row = dWeight.as<S>() + e * width;
      for (std::int64_t t = 0; t < tokens; ++t)
        if (const S g = pz[t * experts + e]; g != 0)
          for (std::int64_t d = 0; d < width; ++d) row[d] += g * px[t * width + d];
    }
  if (!dBias.empty())
    for (std::int64_t t = 0; t < tokens; ++t)
      for (std::int64_t e = 0; e < experts; ++e) dBias.as<S>()[e] += pz[t * experts + e];
  if (dx.empty()) return;
  std::vector<S> row(static_cast<std::size_t>(width));
  for (std::int64_t t = 0; t < tokens; ++t) {
    row.assign(row.size(), S(0));
    for (std::int64_t e = 0; e < experts; ++e)
      if (const S g = pz[t * experts + e]; g != 0)
        for (std::int64_t d = 0; d < width; ++d) row[static_cast<std::size_t>(d)] += g * pw[e * width + d];
    S* out = dx.as<S>() + t * width;
    const S* u = jitter.empty() ? nullptr : jitter.as<S>() + t * width;
    for (std::int64_t d = 0; d < width; ++d) out[d] += row[static_cast<std::size_t>(d)] * (u ? u[d] : S(1));
  }
}

template void logitsForward<float>(const TensorView&, const TensorView&, const TensorView&, const TensorView&);
template void logitsForward<double>(const TensorView&, const TensorView&, const TensorView&, const TensorView&);
template void logitsBackward<float>(const TensorView&, const TensorView&, const TensorView&, const TensorView&,
                                    const TensorView&, const TensorView&, const TensorView&);
template void logitsBackward<double>(const TensorView&, const TensorView&, const TensorView&, const TensorView&,
                                     const TensorView&, const TensorView&, const TensorView&);

const SettingTable<Recipe>& logitsRows() {
  using namespace rows;
  static const SettingTable<Recipe> table = SettingTable<Recipe>{
      "logits",
      "Logits",
      "The router's raw opinion of every expert for a token, always in f32 or better.",
      {choice<&Recipe::logits, &Recipe::Logits::kind>(
           {.path = "logits.kind", .label = "Router", .tooltip = "What gives a token its logits."},
           Choices<Recipe::Logits::Kind>{
               {Recipe::Logits::Kind::linear,
                {"linear", "Linear", "z = W x", "One learned row of weights per expert, times the token."}},
               {Recipe::Logits::Kind::none,
                {"none", "None", "no z", "No router at all: experts follow from the token's id (hash)."}}}),
       value<&Recipe::logits, &Recipe::Logits::bias>({.path = "logits.bias",
                                                      .label = "Bias",
                                                      .formula = "z = W x + b",
                                                      .tooltip = "Adds one learned number per expert to the logits."})},
      {}}.withDefaultsOf();
  return table;
}

}  // namespace moe
