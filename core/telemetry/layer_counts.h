#pragma once
#include <algorithm>
#include <cmath>
#include <optional>

#include "core/telemetry/points.h"

namespace moe {

/// c_e, or its share where the step's assignments are not known (runs of an older version).
inline double countOf(const LayerPoint& layer, float share) {
  return layer.assignments > 0 ? std::round(static_cast<double>(share) * layer.assignments)
                               : static_cast<double>(share);
}

inline double meanCount(const LayerPoint& layer) {
  return (layer.assignments > 0 ? layer.assignments : 1) /
         static_cast<double>(std::max<std::size_t>(1, layer.load.size()));
}

/// Norm of the balance terms' gradient / norm of the language loss's; nothing where it was not measured or that is 0.
inline std::optional<double> balancerShare(const LayerPoint& layer) {
  if (!std::isfinite(layer.balanceGradient) || !(layer.languageGradient > 0)) return std::nullopt;
  return static_cast<double>(layer.balanceGradient) / static_cast<double>(layer.languageGradient);
}

}  // namespace moe
