#include "core/model/upcycle.h"

#include <algorithm>
#include <cassert>

#include "core/backend/backend.h"
#include "core/base/error.h"
#include "core/model/dense_feed_forward.h"
#include "core/model/experts_init.h"
#include "core/model/segments.h"

namespace moe {
namespace {

using Init = Recipe::Experts::Init;
using Find = std::function<TensorView(std::string_view)>;

constexpr double kRouterDeviation = 0.02;

struct Check {
  std::vector<Problem> found;
  void require(bool holds, const char* path, const std::string& sentence) {
    const bool known = std::ranges::any_of(found, [&](const Problem& each) { return each.path == path; });
    if (!holds && !known) found.push_back({path, sentence});
  }
  void same(std::int64_t wanted, std::int64_t there, const char* path, const std::string& what) {
    require(wanted == there, path,
            "The dense model's " + what + " is " + std::to_string(there) + ", this model's " + std::to_string(wanted) +
                "; its weights fit only a model of the same.");
  }
};

void checkExperts(Check& check, const LayerConfig& layer, const DenseConfig& dense) {
  const Recipe::Experts& experts = layer.recipe.experts;
  check.require(
      experts.init != Init::random, "experts.init.kind",
      "Experts that start from a dense model are copies or slices of its networks: choose dense_copy or dense_slice.");
  check.require(experts.kind == dense.kind, "experts.kind",
                "The dense model's networks are of another kind; experts made of them keep it.");
  check.require(experts.activation == dense.activation, "experts.activation",
                "The dense model's networks have another activation; experts made of them keep it.");
  check.require(experts.bias == dense.bias, "experts.bias",
                dense.bias ? "The dense model's networks have biases; experts made of them have them too."
                           : "The dense model's networks have no biases, so the experts have none.");
  std::int64_t together = 0;
  for (int e = 0; e < experts.count; ++e) together += layer.recipe.hiddenOf(e);
  if (experts.init == Init::denseCopy)
    check.require(layer.recipe.hiddenOf(0) == dense.hidden, "experts.hidden",
                  "A copy has the dense network's " + std::to_string(dense.hidden) + " hidden units, not " +
                      std::to_string(layer.recipe.hiddenOf(0)) + ".");
  if (experts.init == Init::denseSlice)
    check.require(together <= dense.hidden, "experts.hidden",
                  "The experts' slices take " + std::to_string(together) +
                      " hidden units together; the dense network has " + std::to_string(dense.hidden) + ".");
}

void checkLayer(Check& check, const LayerConfig& layer, const LayerConfig& dense) {
  check.require(!dense.hasExperts, "start_from.checkpoint",
                "Its model has experts already; experts are made of a dense model's networks.");
  check.require(layer.attention == dense.attention, "model.heads",
                "The dense model's attention has other heads; its weights fit only the same.");
  if (layer.hasExperts)
    checkExperts(check, layer, dense.dense);
  else
    check.require(layer.dense == dense.dense, "model.dense.hidden",
                  "A layer that stays dense keeps the dense model's network of " + std::to_string(dense.dense.hidden) +
                      " hidden units, its kind, activation and biases.");
}

TensorView taken(const Find& find, const std::string& name, const Shape& shape) {
  const TensorView from = find(name);
  if (from.data == nullptr)
    throw Error("checkpoint", name + ": expected in the dense model, found nothing; choose another checkpoint");
  if (from.shape != shape)
    throw Error("checkpoint", name + ": expected shape " + shape.text() + ", found " + from.shape.text() +
                                  "; choose another checkpoint");
  return from;
}

void growLayer(Model& model, std::size_t layer, const ModelConfig& dense, const Find& find, std::uint64_t seed) {
  Backend& backend = model.backend();
  const ModelConfig& config = model.config();
  const Recipe& recipe = config.layers[layer].recipe;
  const std::string prefix = layerPrefix(layer);
  const auto value = [&](std::string_view name) { return model.parameters().value(prefix + std::string(name)); };
  const DType dtype = value("experts.down").dtype;
  std::vector<std::pair<std::string, Tensor>> network;  // in the model's type
  for (const Segment& segment : modelSegments(dense)) {
    if (segment.place.layer != static_cast<int>(layer) || segment.place.part != SegmentPart::feedForward) continue;
    network.emplace_back(segment.name.substr(prefix.size()), hostTensor(segment.shape, dtype));
    backend.copy(network.back().second, taken(find, segment.name, segment.shape));
  }
  backend.synchronize();
  const DenseConfig& shape = dense.layers[layer].dense;
  const ExpertsWeights source = DenseFeedForward::bind(shape, [&](const std::string& name) -> TensorView {
    for (const auto& [known, tensor] : network)
      if (known == name) return tensor;
    return {};
  });
  RandomKey key{.seed = seed, .stream = RandomStream::newExperts, .layer = static_cast<std::uint32_t>(layer)};
  changeOnHost(backend, bindMoeWeights(recipe, config.width, value).experts, [&](const ExpertsWeights& bank) {
    expertsFromDense(bank, expertsSpec(recipe, config.width), source, shape.hidden, recipe.experts.init,
                     recipe.experts.initNoise, key);
  });
  const TensorView router = value("router.weight");
  if (router.empty()) return;
  key.step = 3;  // 0 to 2 are the experts' noise
  const Tensor drawn = hostTensor(router.shape, dtype);
  fillNormal(drawn, key, 0, kRouterDeviation);
  backend.copy(router, drawn);
  backend.synchronize();
}

}  // namespace

std::vector<Problem> upcyclingProblems(const ModelConfig& model, const ModelConfig& dense) {
  Check check;
  check.same(model.vocabulary, dense.vocabulary, "data.tokenizer", "vocabulary");
  check.same(model.width, dense.width, "model.width", "width");
  check.same(static_cast<std::int64_t>(model.layers.size()), static_cast<std::int64_t>(dense.layers.size()),
             "model.layers", "number of layers");
  check.require(model.norm == dense.norm, "model.norm", "The dense model has the other norm; choose the same.");
  check.require(model.positions == dense.positions && model.ropeTheta == dense.ropeTheta, "model.positions",
                "The dense model knows positions another way; choose the same, with the same theta.");
  check.require(model.positions == Positions::rope || model.context == dense.context, "model.context",
                "The dense model has learned " + std::to_string(dense.context) + " positions; choose as many.");
  check.require(model.tiedHead == dense.tiedHead, "model.tied_head",
                "One of the two models has a head of its own, the other its embedding; choose the same.");
  for (std::size_t i = 0; i < std::min(model.layers.size(), dense.layers.size()); ++i)
    checkLayer(check, model.layers[i], dense.layers[i]);
  check.require(std::ranges::any_of(model.layers, [](const LayerConfig& layer) { return layer.hasExperts; }),
                "model.dense_layers", "No layer of this model has experts, so there is nothing to grow.");
  return std::move(check.found);
}

void upcycle(Model& model, const ModelConfig& dense, const Find& find, std::uint64_t seed) {
  assert(upcyclingProblems(model.config(), dense).empty());
  Backend& backend = model.backend();
  const std::vector<Segment> there = modelSegments(dense);
  for (const Parameter& parameter : model.parameters().all()) {
    const bool both = std::ranges::any_of(there, [&](const Segment& each) { return each.name == parameter.name; });
    if (both) backend.copy(parameter.value, taken(find, parameter.name, parameter.value.shape));
  }
  backend.synchronize();
  for (std::size_t i = 0; i < dense.layers.size(); ++i)
    if (model.config().layers[i].hasExperts) growLayer(model, i, dense, find, seed);
  for (const Parameter& parameter : model.parameters().all()) backend.parametersChanged(parameter.value);
}

}  // namespace moe
