#pragma once
#include <cmath>
#include <string>
#include <vector>

#include "core/data/corpus.h"
#include "core/model/model.h"
#include "core/train/run_config.h"

namespace moe::test {

/// Width 8, two layers, four experts: small enough for plain loops in f64.
inline RunConfig tinyConfig() {
  RunConfig config;
  config.backend = "reference";
  config.threads = 1;
  config.seed = 5;
  config.train.steps = 20;
  config.train.batch = 2;
  config.train.warmup = 2;
  ModelConfig& model = config.model;
  model.vocabulary = 256;
  model.width = 8;
  model.context = 6;
  LayerConfig layer;
  layer.attention = {.heads = 2, .kvHeads = 2, .headWidth = 4};
  layer.dense.hidden = 10;
  Recipe& recipe = layer.recipe;
  recipe.experts.count = 4;
  recipe.experts.hidden = {6};
  recipe.select.k = 2;
  recipe.balance.push_back({.name = "aux", .coefficient = 0.05});
  model.layers = {layer, layer};
  return config;
}

/// The same, its experts given by a hash of the token.
inline RunConfig hashedConfig() {
  RunConfig config = tinyConfig();
  for (LayerConfig& layer : config.model.layers) {
    layer.recipe.logits.kind = Recipe::Logits::Kind::none;
    layer.recipe.select.kind = Recipe::Select::Kind::hash;
    layer.recipe.weigh.kind = Recipe::Weigh::Kind::one;
    layer.recipe.balance.clear();
  }
  return config;
}

/// A text in which something can be learned, tokenised as bytes.
inline std::shared_ptr<const Corpus> tinyCorpus(int repeats = 1) {
  const std::shared_ptr<const Tokenizer> tokenizer = makeByteTokenizer();
  std::string text;
  for (int i = 0; i < 120 * repeats; ++i) text += i % 3 ? "the yard is full of trains. " : "one two three four five. ";
  std::vector<std::int32_t> ids = tokenizer->encode(text);
  const auto cut = ids.begin() + static_cast<std::ptrdiff_t>(ids.size() * 9 / 10);
  std::vector<Corpus::Domain> domains{{"yard", std::vector(ids.begin(), cut), std::vector(cut, ids.end())}};
  return std::make_shared<Corpus>(tokenizer, std::move(domains));
}

/// `sequences` * `length` ids below `vocabulary`, the targets the ids that follow; one target masked.
inline Batch tinyBatch(std::int64_t sequences, std::int64_t length, std::int32_t vocabulary) {
  Batch batch;
  batch.sequences = sequences;
  batch.length = length;
  for (std::int64_t t = 0; t < sequences * length; ++t) {
    batch.ids.push_back(static_cast<std::int32_t>((7 * t * t + 3 * t + 1) % vocabulary));
    batch.targets.push_back(t == 2 ? -1 : static_cast<std::int32_t>((5 * t * t + t + 2) % vocabulary));
    batch.positions.push_back(static_cast<std::int32_t>(t % length));
    batch.domains.push_back(0);
  }
  return batch;
}

}  // namespace moe::test
