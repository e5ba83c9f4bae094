#include "core/train/compute_type.h"

#include <algorithm>

#include "core/backend/backend.h"

namespace moe {
namespace {

/// The narrowest that were measured to gain (tests/benchmarks/README.md has the table); narrower models spend their
/// steps on what stays in f32 and on rounding.
constexpr std::int64_t kNarrowestWidth = 128, kNarrowestHidden = 256;

std::int64_t widestHidden(const LayerConfig& layer) {
  if (!layer.hasExperts) return layer.dense.hidden;
  std::int64_t widest = 0;
  for (int e = 0; e < layer.recipe.experts.count; ++e) widest = std::max(widest, layer.recipe.hiddenOf(e));
  return widest;
}

}  // namespace

DType chosenComputeType(const RunConfig& config) {
  if (config.computeType) return *config.computeType;
  if (config.model.width < kNarrowestWidth || !canCompute(config.backend, DType::bf16)) return DType::f32;
  const bool wide = std::ranges::any_of(
      config.model.layers, [](const LayerConfig& layer) { return widestHidden(layer) >= kNarrowestHidden; });
  return wide ? DType::bf16 : DType::f32;
}

}  // namespace moe
