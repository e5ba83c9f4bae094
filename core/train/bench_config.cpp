#include "core/train/bench_config.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/tensor/philox.h"

namespace moe {
namespace {

/// Ids are their own text: "17 4 255".
class NumberTokenizer : public Tokenizer {
 public:
  explicit NumberTokenizer(int vocabulary) : vocabulary_(vocabulary) {}
  TokenizerKind kind() const override { return TokenizerKind::characters; }
  int vocabulary() const override { return vocabulary_; }
  void encode(std::string_view utf8, const TokenSink& sink) const override {
    std::vector<std::int32_t> ids;
    const char *at = utf8.data(), *end = at + utf8.size();
    while (at != end) {
      std::int32_t id = 0;
      const auto [next, error] = std::from_chars(at, end, id);
      if (error == std::errc{}) ids.push_back(std::clamp(id, 0, vocabulary_ - 1));
      at = error == std::errc{} ? next : at + 1;
    }
    sink(ids, utf8.size());
  }
  std::string bytesOf(std::int32_t id) const override { return std::to_string(id) + ' '; }
  nlohmann::json toJson() const override { return {{"kind", "numbers"}, {"vocabulary", vocabulary_}}; }

 private:
  int vocabulary_;
};

}  // namespace

const std::vector<BenchModel>& benchModels() {
  static const std::vector<BenchModel> models{{.name = "tiny",
                                               .width = 128,
                                               .layers = 4,
                                               .heads = 4,
                                               .hidden = 512,
                                               .context = 128,
                                               .batch = 16,
                                               .vocabulary = 256,
                                               .experts = 8,
                                               .perToken = 2},
                                              {.name = "small",
                                               .width = 256,
                                               .layers = 6,
                                               .heads = 8,
                                               .hidden = 1024,
                                               .context = 256,
                                               .batch = 8,
                                               .vocabulary = 2048,
                                               .experts = 8,
                                               .perToken = 2},
                                              {.name = "many",
                                               .width = 256,
                                               .layers = 4,
                                               .heads = 8,
                                               .hidden = 256,
                                               .context = 256,
                                               .batch = 8,
                                               .vocabulary = 2048,
                                               .experts = 64,
                                               .perToken = 2},
                                              {.name = "large",  // for GPUs
                                               .width = 1024,
                                               .layers = 8,
                                               .heads = 16,
                                               .hidden = 512,
                                               .context = 1024,
                                               .batch = 16,
                                               .vocabulary = 2048,
                                               .experts = 64,
                                               .perToken = 8}};
  return models;
}

RunConfig benchConfig(const std::string& name, bool dense) {
  const auto found = std::find_if(benchModels().begin(), benchModels().end(),
                                  [&](const BenchModel& model) { return model.name == name; });
  if (found == benchModels().end()) {
    std::string names;
    for (const BenchModel& model : benchModels()) names += (names.empty() ? "" : ", ") + model.name;
    throw Error("bench", "expected one of " + names + ", found " + name + "; choose one that is listed");
  }
  LayerConfig layer;
  layer.attention = {.heads = found->heads, .kvHeads = found->heads, .headWidth = found->width / found->heads};
  layer.dense = {.kind = ExpertKind::mlp, .activation = Activation::gelu, .hidden = found->hidden, .bias = true};
  Recipe& recipe = layer.recipe;
  recipe.experts = {.count = found->experts,
                    .kind = ExpertKind::mlp,
                    .activation = Activation::gelu,
                    .hidden = {found->hidden},
                    .bias = true};
  recipe.select.k = found->perToken;
  recipe.balance = {{.name = "load", .kind = Recipe::BalanceTerm::Kind::load, .coefficient = 0.01}};

  RunConfig run;
  run.label = "bench " + name + (dense ? ", dense" : "");
  run.model = {.vocabulary = found->vocabulary,
               .width = found->width,
               .context = found->context,
               .norm = NormKind::layer,
               .positions = Positions::learned,
               .layers = std::vector<LayerConfig>(static_cast<std::size_t>(found->layers), layer)};
  if (dense) run.model = denseTwin(run);
  run.train.batch = found->batch;
  run.train.learningRate = 3e-4;
  run.train.schedule = TrainConfig::Schedule::constant;
  run.train.warmup = 0;
  run.train.beta2 = 0.999;
  run.train.weightDecay = 0.1;
  run.train.clip = 0;
  run.train.steps = 1'000'000;
  return run;
}

std::shared_ptr<const Corpus> randomCorpus(int vocabulary, std::int64_t tokens, std::uint64_t seed) {
  std::vector<std::int32_t> ids;
  ids.reserve(static_cast<std::size_t>(tokens));
  const RandomKey key{.seed = seed, .stream = RandomStream::corpus};
  for (std::int64_t i = 0; i < tokens; ++i)
    ids.push_back(static_cast<std::int32_t>(uniformAt(key, static_cast<std::uint32_t>(i), 0) * vocabulary));
  Corpus::Domain domain{"random", TokenList(vocabulary), TokenList(vocabulary)};
  domain.training.append(ids);
  domain.heldOut.append(std::span(ids).first(static_cast<std::size_t>(std::min<std::int64_t>(tokens, 8192))));
  return std::make_shared<Corpus>(std::make_shared<NumberTokenizer>(vocabulary), std::vector<Corpus::Domain>{domain});
}

}  // namespace moe
