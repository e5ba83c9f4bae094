#include "core/model/segments.h"

#include <algorithm>
#include <cmath>

#include "core/model/moe_segments.h"
#include "core/telemetry/points.h"

namespace moe {
namespace {

using Kind = Segment::Kind;
using Part = SegmentPart;
using Role = SegmentRole;

void addNorm(std::vector<Segment>& out, const std::string& name, int layer, const ModelConfig& config) {
  out.push_back({Kind::one, name + ".weight", {config.width}, {layer, Part::norm, Role::weight}});
  if (config.norm == NormKind::layer)
    out.push_back({Kind::zero, name + ".bias", {config.width}, {layer, Part::norm, Role::bias}});
}

void addDense(std::vector<Segment>& out, const std::string& name, int layer, const DenseConfig& dense,
              std::int64_t width) {
  const auto add = [&](Kind kind, const char* weight, Shape shape, Role role) {
    out.push_back({kind, name + weight, shape, {layer, Part::feedForward, role}});
  };
  const bool gated = dense.kind == ExpertKind::glu;
  if (gated) add(Kind::matrix, ".gate", {dense.hidden, width}, Role::gate);
  add(Kind::matrix, ".up", {dense.hidden, width}, Role::up);
  add(Kind::output, ".down", {width, dense.hidden}, Role::down);
  if (!dense.bias) return;
  if (gated) add(Kind::zero, ".gate_bias", {dense.hidden}, Role::gateBias);
  add(Kind::zero, ".up_bias", {dense.hidden}, Role::upBias);
  add(Kind::zero, ".down_bias", {1, width}, Role::downBias);
}

Kind kindOf(const MoeSegment& segment) {
  if (segment.kind == MoeSegment::Kind::norm) return Kind::one;
  if (segment.kind == MoeSegment::Kind::bias) return Kind::zero;
  return segment.role == Role::down ? Kind::output : Kind::matrix;
}

/// Weights that one operation with Gradients reads, and nothing before it in a backward pass.
bool hasWholeGradient(const Segment& segment, const ModelConfig& config) {
  const SegmentPlace& place = segment.place;
  switch (place.part) {
    case Part::embedding:  // with a tied head, whose product comes first
      return place.role == Role::tokens && config.tiedHead && !headRecipe(config);
    case Part::head: return true;
    case Part::attention:
    case Part::feedForward:
    case Part::experts:
    case Part::shared:
    case Part::denseResidual: return place.layer != kHeadLayer;
    case Part::norm:
    case Part::router: return false;
  }
  return false;
}

}  // namespace

std::string layerPrefix(std::size_t layer) { return "layers." + std::to_string(layer) + "."; }

double activeExperts(const Recipe& recipe, std::int64_t passTokens) {
  const double E = recipe.experts.count;
  switch (recipe.select.kind) {
    case Recipe::Select::Kind::topK: return recipe.select.k;
    case Recipe::Select::Kind::topP: return std::clamp(std::ceil(recipe.select.p * E), 1.0, E);
    case Recipe::Select::Kind::expertChoice: {
      const Recipe::Capacity& capacity = recipe.capacity;
      const double slots = capacity.slots ? static_cast<double>(*capacity.slots) * capacity.tokenGroups * E /
                                                static_cast<double>(passTokens)
                                          : 0;
      const double k = capacity.countsK ? recipe.select.k : 1;
      return std::clamp(capacity.slots ? slots : capacity.factor.value_or(1) * k, 0.0, E);
    }
    default: return recipe.slotsPerToken();
  }
}

std::vector<Segment> modelSegments(const ModelConfig& config) {
  const std::int64_t width = config.width;
  std::vector<Segment> out;
  out.push_back({Kind::matrix,
                 "embedding.tokens",
                 {config.vocabulary, width},
                 {-1, Part::embedding, Role::tokens},
                 !config.tiedHead});
  if (config.positions == Positions::learned)
    out.push_back(
        {Kind::matrix, "embedding.positions", {config.context, width}, {-1, Part::embedding, Role::positions}, true});
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    const LayerConfig& layer = config.layers[i];
    const AttentionConfig& attention = layer.attention;
    const std::int64_t heads = attention.heads, headWidth = attention.headWidth;
    const std::string prefix = layerPrefix(i);
    const int at = static_cast<int>(i);
    addNorm(out, prefix + "attention_norm", at, config);
    out.push_back({Kind::matrix,
                   prefix + "attention.qkv",
                   {(heads + 2 * attention.kvHeads) * headWidth, width},
                   {at, Part::attention, Role::qkv}});
    out.push_back(
        {Kind::output, prefix + "attention.output", {width, heads * headWidth}, {at, Part::attention, Role::output}});
    addNorm(out, prefix + "feed_forward_norm", at, config);
    if (!layer.hasExperts) {
      addDense(out, prefix + "feed_forward", at, layer.dense, width);
      continue;
    }
    for (const MoeSegment& segment : moeSegments(layer.recipe, width))
      out.push_back({kindOf(segment), prefix + segment.name, segment.shape, {at, segment.part, segment.role}});
  }
  addNorm(out, "final_norm", -1, config);
  if (const auto head = headRecipe(config)) {
    for (const MoeSegment& segment : moeSegments(*head, width)) {
      const Kind kind = kindOf(segment);
      out.push_back({kind == Kind::output ? Kind::matrix : kind,
                     kHeadPrefix + segment.name,
                     segment.shape,
                     {kHeadLayer, segment.part, segment.role}});
    }
  } else if (!config.tiedHead) {
    out.push_back({Kind::matrix, "head.weight", {config.vocabulary, width}, {-1, Part::head, Role::weight}});
  }
  for (Segment& segment : out) segment.wholeGradient = hasWholeGradient(segment, config);
  return out;
}

std::vector<Segment> activeSegments(const ModelConfig& config, std::int64_t passTokens) {
  std::vector<Segment> segments = modelSegments(config);
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    if (!config.layers[i].hasExperts) continue;
    const Recipe& recipe = config.layers[i].recipe;
    const double share = activeExperts(recipe, passTokens) / recipe.experts.count;
    for (Segment& segment : segments)
      if (isExpertOf(segment.place, static_cast<int>(i))) segment.activeShare = share;
  }
  return segments;
}

bool sameSegments(const ModelConfig& a, const ModelConfig& b) {
  const std::vector<Segment> left = modelSegments(a), right = modelSegments(b);
  return left.size() == right.size() &&
         std::equal(left.begin(), left.end(), right.begin(),
                    [](const Segment& x, const Segment& y) { return x.name == y.name && x.shape == y.shape; });
}

}  // namespace moe
