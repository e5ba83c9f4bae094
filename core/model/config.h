#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/backend/ops/norm.h"
#include "core/router/recipe.h"

namespace moe {

struct AttentionConfig {
  int heads = 4;
  int kvHeads = 4;     // divides heads
  int headWidth = 32;  // explicit: not always width / heads
  bool operator==(const AttentionConfig&) const = default;
};

/// A plain feed-forward network where a layer has no experts.
struct DenseConfig {
  ExpertKind kind = ExpertKind::glu;
  Activation activation = Activation::silu;
  int hidden = 512;
  bool bias = false;
  bool operator==(const DenseConfig&) const = default;
};

struct LayerConfig {
  AttentionConfig attention;
  bool hasExperts = true;
  DenseConfig dense;  // where hasExperts is false
  Recipe recipe;      // where hasExperts is true
  bool operator==(const LayerConfig&) const = default;
};

enum class Positions { rope, learned };

/// A decoder-only transformer: embedding, layers, final norm, head. Pre-norm residual blocks.
struct ModelConfig {
  int vocabulary = 256;  // V
  int width = 128;       // D
  int context = 128;     // longest sequence; rows of the learned position table
  NormKind norm = NormKind::rms;
  double normEpsilon = 1e-5;
  Positions positions = Positions::rope;
  double ropeTheta = 10000;
  bool tiedHead = false;
  double initDeviation = 0.02;
  std::vector<LayerConfig> layers;
  bool operator==(const ModelConfig&) const = default;
};

/// Sizes a person decides by, shown beside the recipe before anything is allocated. Source: counting the segments that
/// Model would make; FLOPs as in the peer's formula (2 a multiply-add, backward = 2 forward, causal attention at half).
struct ModelSize {
  std::int64_t totalParameters = 0;
  std::int64_t activeParameters = 0;  // that one token passes: all but the experts not chosen
  double flopsPerToken = 0;           // forward + backward
};
/// `passTokens`: those that training routes together, which experts choose their slots from.
ModelSize sizeOf(const ModelConfig& config, std::int64_t passTokens);
/// The same given what the routers chose: active parameters and work are means over the tokens, of the experts that
/// admitted them. `admitted` (expert layers, then a mixture head) of (E): admitted assignments of an expert / tokens.
ModelSize sizeOf(const ModelConfig& config, const std::vector<std::vector<double>>& admitted);

/// The dense model of equal active parameters: every expert layer becomes one network of hidden k * F (+ shared).
ModelConfig denseTwin(const ModelConfig& config, std::int64_t passTokens);

/// The recipe of the head where it is a mixture (recipe.head): that of the layers, every expert's output a token's
/// logits. Nothing for a linear head.
std::optional<Recipe> headRecipe(const ModelConfig& config);
/// Whether anything in the model is routed: a layer's experts, or the head's.
bool isRouted(const ModelConfig& config);

/// Everything wrong with a model: head counts, sizes, each layer's recipe. Paths as `--set` takes them.
std::vector<Problem> problems(const ModelConfig& config, bool routerLearns = true);

}  // namespace moe
