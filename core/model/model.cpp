#include "core/model/model.h"

#include <algorithm>
#include <cassert>

#include "core/backend/backend.h"
#include "core/model/model_impl.h"
#include "core/tensor/scalar.h"

namespace moe {
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
  fitSelectionBias();
  for (std::size_t i = 0; i < blocks.size(); ++i)
    if (Routing* routing = blocks[i]->routing()) {
      expertLayers.push_back(static_cast<int>(i));
      routings.push_back(routing);
    }
  if (!head) return;
  expertLayers.push_back(kHeadLayer);
  routings.push_back(&head->routing());
}

void Model::Impl::fitSelectionBias() {
  constexpr std::int64_t kAlignment = 16;  // each on a cache line of its own
  std::vector<std::int64_t> sizes;
  std::int64_t total = 0;
  bool same = selectionBias.size() == config.layers.size();
  for (const LayerConfig& layer : config.layers) {
    const bool wanted = layer.hasExperts && layer.recipe.adjust.selectionBias;
    sizes.push_back(wanted ? layer.recipe.experts.count : 0);
    same = same && selectionBias[sizes.size() - 1].elements() == sizes.back();
    total += (sizes.back() + kAlignment - 1) / kAlignment * kAlignment;
  }
  if (same) return;
  Tensor arena = total > 0 ? backend.allocate({total}, DType::f32) : Tensor();
  std::vector<TensorView> biases;
  std::int64_t begin = 0;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    biases.push_back(sizes[i] > 0 ? arena.view().rows(begin, begin + sizes[i]) : TensorView{nullptr, {0}, DType::f32});
    begin += (sizes[i] + kAlignment - 1) / kAlignment * kAlignment;
    if (sizes[i] > 0 && i < selectionBias.size() && selectionBias[i].elements() == sizes[i])
      backend.copy(biases[i], selectionBias[i]);
  }
  backend.synchronize();  // the old arena goes
  selectionBias = std::move(biases);
  biasArena = std::move(arena);
}

const Recipe& Model::Impl::balanceRecipe() const {
  const int first = expertLayers.empty() || expertLayers.front() == kHeadLayer ? 0 : expertLayers.front();
  return config.layers[static_cast<std::size_t>(first)].recipe;
}

void Model::Impl::show(std::span<Routing* const> shown) {
  asked.assign(shown.begin(), shown.end());
  shownRouting.assign(shown.begin(), shown.end());
  routingRead = false;
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

const ModelConfig& Model::config() const { return impl_->config; }
Backend& Model::backend() { return impl_->backend; }
Parameters& Model::parameters() { return impl_->parameters; }
const Parameters& Model::parameters() const { return impl_->parameters; }
std::vector<float> Model::selectionBias(std::size_t layer) const {
  const TensorView bias = selectionBiasView(layer);
  if (bias.empty()) return {};
  const HostCopy copy = impl_->backend.read(bias);
  return {copy.span<float>().begin(), copy.span<float>().end()};
}
void Model::setTrainingTokens(std::int64_t tokens) { impl_->trainingTokens = tokens; }

void Model::setSelectionBias(std::size_t layer, std::span<const float> values) {
  const TensorView bias = selectionBiasView(layer);
  assert(static_cast<std::int64_t>(values.size()) == bias.elements());
  if (bias.empty()) return;
  const Tensor host = hostTensor(bias.shape, DType::f32);
  std::ranges::copy(values, host.as<float>());
  impl_->backend.copy(bias, host);
}
TensorView Model::selectionBiasView(std::size_t layer) const {
  const std::vector<TensorView>& all = impl_->selectionBias;
  return layer < all.size() ? all[layer] : TensorView{nullptr, {0}, DType::f32};
}
TensorView Model::selectionBiases() const { return impl_->biasArena; }
void Model::keepOnly(std::size_t layer, std::span<const std::uint8_t> kept) {
  Tensor& mask = impl_->keptExperts[layer];
  mask = {};
  if (kept.empty()) return;
  assert(kept.size() == static_cast<std::size_t>(impl_->config.layers[layer].recipe.experts.count));
  mask = hostTensor({static_cast<std::int64_t>(kept.size())}, impl_->dtype);
  withScalar(impl_->dtype, [&]<class S>() { std::ranges::copy(kept, mask.as<S>()); });
}
std::span<const float> Model::tokenLosses() const {
  if (impl_->lossesRead) return impl_->tokenLosses;
  const HostCopy losses = impl_->backend.read(impl_->losses);
  withScalar(impl_->dtype, [&]<class S>() {
    impl_->tokenLosses.clear();
    for (const S loss : losses.span<S>()) impl_->tokenLosses.push_back(static_cast<float>(loss));
  });
  impl_->lossesRead = true;
  return impl_->tokenLosses;
}
std::size_t Model::balanceTerms() const { return impl_->routings.empty() ? 0 : impl_->balanceRecipe().balance.size(); }
TensorView Model::logits() const { return impl_->logits; }
std::int64_t Model::activationBytes() const { return impl_->memory.mostBytes(); }
std::span<const Routing* const> Model::routing() const {
  if (!impl_->routingRead)
    for (Routing* routing : impl_->asked) impl_->backend.read(*routing);
  impl_->routingRead = true;
  return impl_->shownRouting;
}
std::span<Routing* const> Model::askedRouting() const { return impl_->asked; }
std::vector<BalancerGradient> Model::balancerGradients() const {
  std::vector<BalancerGradient> all;
  for (const int layer : impl_->expertLayers)
    if (layer != kHeadLayer) all.push_back(impl_->blocks[static_cast<std::size_t>(layer)]->balancerGradient());
  return all;
}
std::vector<double> Model::routerGradients() const {
  std::vector<double> all;
  for (const int layer : impl_->expertLayers)
    if (layer != kHeadLayer) all.push_back(impl_->blocks[static_cast<std::size_t>(layer)]->routerGradient());
  return all;
}

std::span<const int> Model::expertLayers() const { return impl_->expertLayers; }

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
  impl_->fitSelectionBias();
}

LossSums Model::forwardBackward(const Batch& batch, const PassSettings& settings, double lossScale) {
  return impl_->pass(batch, settings, lossScale, true);
}

std::int64_t Model::askForwardBackward(const PassTotals& out, const Batch& batch, const PassSettings& settings,
                                       double lossScale) {
  return impl_->ask(out, batch, settings, lossScale, true);
}

LossSums Model::forward(const Batch& batch, const PassSettings& settings) {
  return impl_->pass(batch, settings, 0, false);
}

}  // namespace moe
