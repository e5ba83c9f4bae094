#include "core/model/model.h"

#include <algorithm>
#include <cassert>

#include "core/model/model_impl.h"
#include "core/tensor/scalar.h"

namespace moe {
namespace {

/// A bias (E) of zeros where the layer has one; a bias that is there stays.
void fitSelectionBias(std::vector<std::vector<float>>& biases, const ModelConfig& config) {
  biases.resize(config.layers.size());
  for (std::size_t i = 0; i < biases.size(); ++i) {
    const LayerConfig& layer = config.layers[i];
    const bool wanted = layer.hasExperts && layer.recipe.adjust.selectionBias;
    biases[i].resize(wanted ? static_cast<std::size_t>(layer.recipe.experts.count) : 0);
  }
}

}  // namespace

Model::Impl::Impl(Backend& theBackend, ModelConfig theConfig, DType theDtype, bool training)
    : backend(theBackend),
      config(std::move(theConfig)),
      dtype(theDtype),
      parameters(backend, modelSegments(config), dtype, training),
      hashTables(config.layers.size()),
      keptExperts(config.layers.size()),
      blocks(makeBlocks()),
      head(makeHead()),
      memory(backend),
      stream(config.layers.size() + 1) {
  fitSelectionBias(selectionBias, config);
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (Routing* routing = blocks[i]->routing()) {
      expertLayers.push_back(static_cast<int>(i));
      routings.push_back(routing);
    }
  if (!head) return;
  expertLayers.push_back(kHeadLayer);
  routings.push_back(&head->routing());
}

std::unique_ptr<MixtureLanguageHead> Model::Impl::makeHead() const {
  return headRecipe(config) ? std::make_unique<MixtureLanguageHead>(backend, config, parameters) : nullptr;
}

std::vector<std::unique_ptr<Block>> Model::Impl::makeBlocks() const {
  std::vector<std::unique_ptr<Block>> made;
  for (std::size_t i = 0; i < config.layers.size(); ++i)
    made.push_back(std::make_unique<Block>(backend, config, i, parameters));
  return made;
}

Model::Model(Backend& backend, ModelConfig config, DType dtype, bool training)
    : impl_(std::make_unique<Impl>(backend, std::move(config), dtype, training)) {}
Model::~Model() = default;

const ModelConfig& Model::config() const {
  return impl_->config;
}
Backend& Model::backend() {
  return impl_->backend;
}
Parameters& Model::parameters() {
  return impl_->parameters;
}
const Parameters& Model::parameters() const {
  return impl_->parameters;
}
std::vector<std::vector<float>>& Model::selectionBias() {
  return impl_->selectionBias;
}
void Model::keepOnly(std::size_t layer, std::span<const std::uint8_t> kept) {
  Tensor& mask = impl_->keptExperts[layer];
  mask = {};
  if (kept.empty()) return;
  assert(kept.size() == static_cast<std::size_t>(impl_->config.layers[layer].recipe.experts.count));
  mask = hostTensor({static_cast<std::int64_t>(kept.size())}, impl_->dtype);
  withScalar(impl_->dtype, [&]<class S>() { std::ranges::copy(kept, mask.as<S>()); });
}
std::span<const float> Model::tokenLosses() const {
  return impl_->tokenLosses;
}
TensorView Model::logits() const {
  return impl_->logits;
}
std::int64_t Model::activationBytes() const {
  return impl_->memory.mostBytes();
}
std::span<const Routing* const> Model::routing() const {
  return impl_->shownRouting;
}
std::vector<BalancerGradient> Model::balancerGradients() const {
  impl_->backend.synchronize();
  std::vector<BalancerGradient> all;
  for (const int layer : impl_->expertLayers)
    if (layer != kHeadLayer) all.push_back(impl_->blocks[static_cast<std::size_t>(layer)]->balancerGradient());
  return all;
}
std::vector<double> Model::routerGradients() const {
  impl_->backend.synchronize();
  std::vector<double> all;
  for (const int layer : impl_->expertLayers)
    if (layer != kHeadLayer) all.push_back(impl_->blocks[static_cast<std::size_t>(layer)]->routerGradient());
  return all;
}

std::span<const int> Model::expertLayers() const {
  return impl_->expertLayers;
}

const Recipe& Model::recipeOf(std::size_t expertLayer) const {
  const int layer = impl_->expertLayers[expertLayer];
  return layer == kHeadLayer ? impl_->head->recipe() : impl_->config.layers[static_cast<std::size_t>(layer)].recipe;
}

void Model::reconfigure(const ModelConfig& config) {
  assert(sameSegments(config, impl_->config));
  impl_->config = config;
  ++impl_->revision;
  for (std::size_t i = 0; i < impl_->blocks.size(); ++i) impl_->blocks[i]->reconfigure(config.layers[i]);
  if (impl_->head) impl_->head->reconfigure(*headRecipe(config));
  fitSelectionBias(impl_->selectionBias, config);
}

LossSums Model::forwardBackward(const Batch& batch, const PassSettings& settings, double lossScale) {
  return impl_->pass(batch, settings, lossScale, true);
}

LossSums Model::forward(const Batch& batch, const PassSettings& settings) {
  return impl_->pass(batch, settings, 0, false);
}

}  // namespace moe
