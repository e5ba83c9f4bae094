#include <array>
#include <cassert>

#include "core/backend/backend.h"
#include "core/model/model_impl.h"

namespace moe {

struct Model::Cache {
  explicit Cache(Backend& backend) : memory(backend) {}

  Activations memory;  // of one token
  std::vector<std::unique_ptr<Block>> blocks;
  std::unique_ptr<MixtureLanguageHead> head;  // null: linear
  std::vector<Tensor> keys, values;           // (layers) of (context, kvHeads, headWidth)
  std::vector<RankingHistory> histories;      // (layers)
  std::int64_t revision = 0;
  Tensor stream[2];                         // (1, D) each
  Tensor normed, statistics, logits, loss;  // (1, D), (1, 2), (1, V), (1)
};

std::unique_ptr<Model::Cache, void (*)(Model::Cache*)> Model::makeCache() {
  Impl& model = *impl_;
  auto cache = std::make_unique<Cache>(model.backend);
  cache->blocks = model.makeBlocks();
  cache->head = model.makeHead();
  cache->revision = model.revision;
  for (const LayerConfig& layer : model.config.layers) {
    const Shape shape{model.config.context, layer.attention.kvHeads, layer.attention.headWidth};
    cache->keys.push_back(model.backend.allocate(shape, model.dtype));
    cache->values.push_back(model.backend.allocate(shape, model.dtype));
  }
  cache->histories.resize(model.config.layers.size());
  const std::int64_t width = model.config.width;
  for (Tensor& stream : cache->stream) stream = model.backend.allocate({1, width}, model.dtype);
  cache->normed = model.backend.allocate({1, width}, model.dtype);
  cache->statistics = model.backend.allocate({1, 2}, model.dtype);
  cache->loss = model.backend.allocate({1}, model.dtype);
  cache->logits = model.backend.allocate({1, model.config.vocabulary}, model.dtype);
  return {cache.release(), [](Cache* done) { delete done; }};
}

TensorView Model::next(Cache& cache, std::int32_t id, std::int64_t position) {
  Impl& model = *impl_;
  assert(position >= 0 && position < model.config.context);
  if (cache.revision != model.revision) {
    for (std::size_t i = 0; i < cache.blocks.size(); ++i) cache.blocks[i]->reconfigure(model.config.layers[i]);
    if (cache.head) cache.head->reconfigure(*headRecipe(model.config));
  }
  cache.revision = model.revision;
  cache.memory.begin();
  const std::int32_t ids[] = {id}, positions[] = {static_cast<std::int32_t>(position)};
  const Parameters& parameters = model.parameters;
  model.backend.embedding(cache.stream[0], parameters.value("embedding.tokens"),
                          parameters.value("embedding.positions"), ids, positions);
  std::vector<Routing*> asked;
  std::size_t from = 0;
  for (std::size_t i = 0; i < cache.blocks.size(); ++i, from = 1 - from) {
    const KeyValueCache past{cache.keys[i], cache.values[i]};
    BlockPass pass = model.blockPass(i);
    pass.phase = Phase::generation;
    pass.tokenIds = ids;
    pass.cache = &past;
    pass.position = position;
    pass.history = &cache.histories[i];
    cache.blocks[i]->forward(cache.stream[1 - from], cache.stream[from], pass, cache.memory);
    if (Routing* routing = cache.blocks[i]->routing()) asked.push_back(routing);
  }
  model.backend.norm(cache.normed, cache.statistics, cache.stream[from], parameters.value("final_norm.weight"),
                     parameters.value("final_norm.bias"), model.config.norm, model.config.normEpsilon);
  if (cache.head) {
    BlockPass pass;
    pass.phase = Phase::generation;
    cache.head->route(cache.normed, pass);
    cache.head->predict(cache.loss, cache.logits, std::array<std::int32_t, 1>{-1}, cache.memory);
    asked.push_back(&cache.head->routing());
  } else {
    model.backend.linear(cache.logits, cache.normed, model.headWeight(), {}, false);
  }
  model.show(asked);
  return cache.logits.view().reshaped({model.config.vocabulary});
}

}  // namespace moe
