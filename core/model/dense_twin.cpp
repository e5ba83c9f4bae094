#include <algorithm>
#include <cmath>

#include "core/model/config.h"
#include "core/model/segments.h"
#include "core/telemetry/points.h"

namespace moe {

ModelConfig denseTwin(const ModelConfig& config, std::int64_t passTokens) {
  ModelConfig twin = config;
  const std::vector<Segment> segments = activeSegments(config, passTokens);
  // What a mixture head has beyond one output matrix goes to the layers in equal parts.
  double spare = 0;
  if (headRecipe(config)) {
    for (const Segment& segment : segments)
      if (isExpertOf(segment.place, kHeadLayer)) spare += static_cast<double>(segment.shape.elements());
    spare -= static_cast<double>(config.vocabulary) * config.width;
  }
  for (std::size_t i = 0; i < twin.layers.size(); ++i) {
    LayerConfig& layer = twin.layers[i];
    const double perUnit = (layer.dense.kind == ExpertKind::glu ? 3.0 : 2.0) * config.width;
    const double extra = spare / static_cast<double>(twin.layers.size()) / perUnit;
    layer.recipe.head = {};
    if (!layer.hasExperts) {
      layer.dense.hidden += static_cast<int>(std::lround(extra));
      continue;
    }
    double active = 0;  // of the routed and shared experts and the dense residual
    for (const SegmentPart bank : {SegmentPart::experts, SegmentPart::shared, SegmentPart::denseResidual})
      for (const Segment& segment : segments)
        if (segment.place.layer == static_cast<int>(i) && segment.place.part == bank &&
            segment.kind != Segment::Kind::zero)
          active += static_cast<double>(segment.shape.elements()) * segment.activeShare;
    layer.hasExperts = false;
    layer.dense.hidden = std::max(1, static_cast<int>(std::lround(active / perUnit + extra)));
  }
  return twin;
}

}  // namespace moe
