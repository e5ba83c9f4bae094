#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "core/explain/explanation.h"
#include "core/telemetry/snapshot.h"

namespace moe {

/// The token's loss, from the probability that the model gave it.
Explanation explainTokenLoss(const TokenRouting& token, std::int64_t step);

/// How undecided the router is about this token, nats; nothing where its scores are no shares.
std::optional<double> tokenEntropy(const TokenLayerRouting& layer);

/// What an explained number of a token in a layer is.
enum class TokenQuantity { weight, margin, entropy, score };
struct TokenExplanation {
  TokenQuantity quantity;
  int expert = -1;  // weight, score
  Explanation text;
};
/// Every number of a token in one layer: the weights of the chosen experts in their order, margin, entropy, all scores.
/// `facts` null: how the layer routes is not known.
std::vector<TokenExplanation> explainToken(const TokenLayerRouting& layer, std::int64_t step, const RouterFacts* facts);
/// The router of a layer; null where there is none.
const RouterFacts* routerOf(const RunFacts& facts, int layer);

}  // namespace moe
