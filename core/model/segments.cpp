#include "core/model/segments.h"

#include <algorithm>
#include <cmath>

#include "core/model/moe_segments.h"

namespace moe {
namespace {

using Kind = Segment::Kind;

void addNorm(std::vector<Segment>& out, const std::string& name, const ModelConfig& config) {
  out.push_back({Kind::one, name + ".weight", {config.width}});
  if (config.norm == NormKind::layer) out.push_back({Kind::zero, name + ".bias", {config.width}});
}

void addDense(std::vector<Segment>& out, const std::string& name, const DenseConfig& dense, std::int64_t width) {
  const bool gated = dense.kind == ExpertKind::glu;
  if (gated) out.push_back({Kind::matrix, name + ".gate", {dense.hidden, width}});
  out.push_back({Kind::matrix, name + ".up", {dense.hidden, width}});
  out.push_back({Kind::output, name + ".down", {width, dense.hidden}});
  if (!dense.bias) return;
  if (gated) out.push_back({Kind::zero, name + ".gate_bias", {dense.hidden}});
  out.push_back({Kind::zero, name + ".up_bias", {dense.hidden}});
  out.push_back({Kind::zero, name + ".down_bias", {1, width}});
}

Kind kindOf(const MoeSegment& segment) {
  if (segment.kind == MoeSegment::Kind::norm) return Kind::one;
  if (segment.kind == MoeSegment::Kind::bias) return Kind::zero;
  return segment.name.ends_with(".down") ? Kind::output : Kind::matrix;
}

/// Weights that one operation with Gradients reads, and nothing before it in a backward pass.
bool hasWholeGradient(const std::string& name, const ModelConfig& config) {
  if (name == "embedding.tokens") return config.tiedHead && !headRecipe(config);  // the head's product comes first
  if (name == "head.weight") return true;
  constexpr const char* kParts[] = {".attention.", ".feed_forward.", ".experts.", ".shared.", ".dense_residual."};
  return name.starts_with("layers.") &&
         std::ranges::any_of(kParts, [&](const char* part) { return name.find(part) != std::string::npos; });
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
  out.push_back({Kind::matrix, "embedding.tokens", {config.vocabulary, width}, !config.tiedHead});
  if (config.positions == Positions::learned)
    out.push_back({Kind::matrix, "embedding.positions", {config.context, width}, true});
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    const LayerConfig& layer = config.layers[i];
    const AttentionConfig& attention = layer.attention;
    const std::int64_t heads = attention.heads, headWidth = attention.headWidth;
    const std::string prefix = layerPrefix(i);
    addNorm(out, prefix + "attention_norm", config);
    out.push_back({Kind::matrix, prefix + "attention.qkv", {(heads + 2 * attention.kvHeads) * headWidth, width}});
    out.push_back({Kind::output, prefix + "attention.output", {width, heads * headWidth}});
    addNorm(out, prefix + "feed_forward_norm", config);
    if (!layer.hasExperts) {
      addDense(out, prefix + "feed_forward", layer.dense, width);
      continue;
    }
    for (const MoeSegment& segment : moeSegments(layer.recipe, width))
      out.push_back({kindOf(segment), prefix + segment.name, segment.shape});
  }
  addNorm(out, "final_norm", config);
  if (const auto head = headRecipe(config)) {
    for (const MoeSegment& segment : moeSegments(*head, width)) {
      const Kind kind = kindOf(segment);
      out.push_back({kind == Kind::output ? Kind::matrix : kind, kHeadPrefix + segment.name, segment.shape});
    }
  } else if (!config.tiedHead) {
    out.push_back({Kind::matrix, "head.weight", {config.vocabulary, width}});
  }
  for (Segment& segment : out) segment.wholeGradient = hasWholeGradient(segment.name, config);
  return out;
}

std::vector<Segment> activeSegments(const ModelConfig& config, std::int64_t passTokens) {
  std::vector<Segment> segments = modelSegments(config);
  for (std::size_t i = 0; i < config.layers.size(); ++i) {
    if (!config.layers[i].hasExperts) continue;
    const Recipe& recipe = config.layers[i].recipe;
    const double share = activeExperts(recipe, passTokens) / recipe.experts.count;
    for (Segment& segment : segments)
      if (segment.name.starts_with(layerPrefix(i) + "experts.")) segment.activeShare = share;
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
