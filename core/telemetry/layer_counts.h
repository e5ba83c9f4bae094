#pragma once
#include <algorithm>
#include <cmath>

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

}  // namespace moe
