#include <cmath>

#include "core/model/config.h"
#include "core/model/segments.h"

namespace moe {

namespace {

/// Share of a bank's segment that a token passes on average: its experts differ in size, or in a bias not.
double shareOf(const Segment& segment, const Recipe& recipe, const std::vector<double>& admitted /*(E)*/) {
  double hidden = 0, share = 0;
  for (int e = 0; e < recipe.experts.count; ++e) hidden += static_cast<double>(recipe.hiddenOf(e));
  const bool alike = recipe.experts.kind == ExpertKind::linear || segment.place.role == SegmentRole::downBias;
  for (int e = 0; e < recipe.experts.count; ++e)
    share += admitted[static_cast<std::size_t>(e)] *
             (alike ? 1.0 / recipe.experts.count : static_cast<double>(recipe.hiddenOf(e)) / hidden);
  return share;
}

ModelSize measured(const ModelConfig& config, const std::vector<Segment>& segments) {
  ModelSize size;
  double active = 0, multiplyAdds = 0;
  for (const Segment& segment : segments) {
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

}  // namespace

ModelSize sizeOf(const ModelConfig& config, std::int64_t passTokens) {
  return measured(config, activeSegments(config, passTokens));
}

ModelSize sizeOf(const ModelConfig& config, const std::vector<std::vector<double>>& admitted) {
  std::vector<Segment> segments = modelSegments(config);
  std::size_t at = 0;
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    if (!config.layers[i].hasExperts) continue;
    const std::vector<double>& chosen = admitted[at++];
    for (Segment& segment : segments)
      if (isExpertOf(segment.place, static_cast<int>(i)))
        segment.activeShare = shareOf(segment, config.layers[i].recipe, chosen);
  }
  return measured(config, segments);
}

}  // namespace moe
