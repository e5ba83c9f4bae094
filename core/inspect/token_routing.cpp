#include "core/inspect/token_routing.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/base/utf8.h"

namespace moe {

namespace {

double valueAt(const TensorView& view, std::int64_t i) {
  return view.dtype == DType::f64 ? view.as<double>()[i] : static_cast<double>(view.as<float>()[i]);
}

/// Smallest ranking value of the selected minus the largest of the others; 0 where all or none are selected.
double marginOf(const TensorView& ranking /*(T, E)*/, std::int64_t t, const std::vector<int>& selected) {
  const std::int64_t experts = ranking.shape[1];
  double lowest = std::numeric_limits<double>::infinity(), highest = -lowest;
  for (std::int64_t e = 0; e < experts; ++e) {
    const double value = valueAt(ranking, t * experts + e);
    if (std::find(selected.begin(), selected.end(), static_cast<int>(e)) != selected.end()) {
      lowest = std::min(lowest, value);
    } else {
      highest = std::max(highest, value);
    }
  }
  const double margin = lowest - highest;
  return std::isfinite(margin) ? margin : 0;
}

std::vector<float> rowOf(const Tensor& table /*(T, E)*/, std::int64_t t, std::int32_t experts) {
  std::vector<float> row;
  if (!table.empty())
    for (std::int32_t e = 0; e < experts; ++e) row.push_back(static_cast<float>(valueAt(table, t * experts + e)));
  return row;
}

TokenLayerRouting layerOf(const Routing& routing, int layer, std::int64_t t) {
  TokenLayerRouting result;
  result.layer = layer;
  std::vector<std::size_t> place(static_cast<std::size_t>(routing.slots), SIZE_MAX);  // of each slot in `experts`
  for (std::int32_t s = 0; s < routing.slots; ++s) {
    const auto at = static_cast<std::size_t>(t * routing.slots + s);
    if (routing.asked[at] < 0 || (at < routing.wantsSlot.size() && !routing.wantsSlot[at])) continue;
    place[static_cast<std::size_t>(s)] = result.experts.size();
    result.experts.push_back(routing.asked[at]);
  }
  result.weights.assign(result.experts.size(), 0.0f);
  const Dispatch& dispatch = routing.dispatch;
  const auto token = static_cast<std::size_t>(t);
  for (std::int32_t i = dispatch.tokenBegin[token]; i < dispatch.tokenBegin[token + 1]; ++i) {
    const auto a = static_cast<std::size_t>(dispatch.assignmentOf[static_cast<std::size_t>(i)]);
    const auto slot = static_cast<std::size_t>(dispatch.slot[a]);
    if (slot < place.size() && place[slot] != SIZE_MAX)
      result.weights[place[slot]] = static_cast<float>(dispatch.weight[a]);
  }
  result.dropped = dispatch.tokenBegin[token] == dispatch.tokenBegin[token + 1];
  result.probabilities = rowOf(routing.scores, t, routing.experts);
  result.logits = rowOf(routing.logits, t, routing.experts);  // nothing is perturbed outside training
  result.ranking = rowOf(routing.ranking, t, routing.experts);
  if (!routing.ranking.empty()) result.margin = static_cast<float>(marginOf(routing.ranking, t, result.experts));
  return result;
}

}  // namespace

std::vector<TokenLayerRouting> tokenLayers(const Model& model, std::int64_t t) {
  std::vector<TokenLayerRouting> layers;
  const auto routing = model.routing();
  const auto indices = model.expertLayers();
  for (std::size_t i = 0; i < routing.size(); ++i) layers.push_back(layerOf(*routing[i], indices[i], t));
  return layers;
}

TokenRouting shownToken(const Tokenizer& tokenizer, std::int32_t id) {
  TokenRouting token;
  token.text = displayable(tokenizer.bytesOf(id));
  token.id = id;
  token.loss = std::numeric_limits<double>::quiet_NaN();
  return token;
}

std::string whyNotGenerating(const ModelConfig& config) {
  for (const LayerConfig& layer : config.layers) {
    const Recipe::Select& select = layer.recipe.select;
    if (layer.hasExperts && select.kind == Recipe::Select::Kind::expertChoice &&
        select.generation == Recipe::Select::Generation::refuse)
      return "Experts that choose their tokens need the whole text at once, so this recipe cannot take it token by "
             "token; "
             "set select.generation to past to see an approximation.";
  }
  return {};
}

}  // namespace moe
