#include "core/inspect/text_routing.h"

#include "core/inspect/token_routing.h"

namespace moe {

TextRouting routeText(Model& model, const Tokenizer& tokenizer, const std::string& text) {
  TextRouting result;
  result.text = text;
  result.problem = whyNotGenerating(model.config());
  if (!result.problem.empty()) return result;
  std::vector<std::int32_t> ids = tokenizer.encode(text);
  if (ids.empty()) {
    result.problem = "Type or paste a text to see where its tokens go.";
    return result;
  }
  const auto context = static_cast<std::size_t>(model.config().context);
  if (ids.size() > context) {
    result.leftOut = static_cast<std::int64_t>(ids.size() - context);
    ids.erase(ids.begin(), ids.begin() + result.leftOut);
  }

  Batch batch;
  batch.sequences = 1;
  batch.length = static_cast<std::int64_t>(ids.size());
  batch.ids = ids;
  batch.targets.assign(ids.begin() + 1, ids.end());
  batch.targets.push_back(-1);
  for (std::int32_t s = 0; s < batch.length; ++s) batch.positions.push_back(s);
  batch.domains.assign(ids.size(), 0);
  model.forward(batch, {.phase = Phase::generation});

  const std::span<const float> losses = model.tokenLosses();
  for (std::size_t t = 0; t < ids.size(); ++t) {
    TokenRouting token = shownToken(tokenizer, ids[t]);
    if (t > 0) token.loss = losses[t - 1];
    token.layers = tokenLayers(model, static_cast<std::int64_t>(t));
    result.tokens.push_back(std::move(token));
  }
  return result;
}

}  // namespace moe
