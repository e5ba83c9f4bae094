#include <algorithm>
#include <cmath>

#include "core/model/config.h"
#include "core/model/segments.h"

namespace moe {

ModelConfig denseTwin(const ModelConfig& config) {
  ModelConfig twin = config;
  const std::vector<Segment> segments = modelSegments(config);
  for (std::size_t i = 0; i < twin.layers.size(); ++i) {
    LayerConfig& layer = twin.layers[i];
    if (!layer.hasExperts) continue;
    double active = 0;  // of the routed and shared experts and the dense residual
    for (const char* bank : {"experts.", "shared.", "dense_residual."})
      for (const Segment& segment : segments)
        if (segment.name.starts_with(layerPrefix(i) + bank) && segment.kind != Segment::Kind::zero)
          active += static_cast<double>(segment.shape.elements()) * segment.activeShare;
    const double perUnit = (layer.dense.kind == ExpertKind::glu ? 3.0 : 2.0) * config.width;
    layer.hasExperts = false;
    layer.dense.hidden = std::max(1, static_cast<int>(std::lround(active / perUnit)));
  }
  return twin;
}

}  // namespace moe
