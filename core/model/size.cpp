#include <cmath>

#include "core/model/config.h"
#include "core/model/segments.h"

namespace moe {

ModelSize sizeOf(const ModelConfig& config) {
  ModelSize size;
  double active = 0, multiplyAdds = 0;
  for (const Segment& segment : modelSegments(config)) {
    const auto elements = static_cast<double>(segment.shape.elements());
    const bool matrix = segment.kind == Segment::Kind::matrix || segment.kind == Segment::Kind::output;
    size.totalParameters += segment.shape.elements();
    active += elements * segment.activeShare;
    if (matrix && !segment.perToken) multiplyAdds += elements * segment.activeShare;
  }
  // Scores and mixing over half the context on average: the causal mask.
  for (const LayerConfig& layer : config.layers)
    multiplyAdds += 2.0 * (config.context / 2.0) * layer.attention.heads * layer.attention.headWidth;
  size.activeParameters = std::llround(active);
  size.flopsPerToken = 3 * 2 * multiplyAdds;
  return size;
}

}  // namespace moe
