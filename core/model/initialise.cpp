#include <cmath>

#include "core/backend/backend.h"
#include "core/model/experts_init.h"
#include "core/model/model_impl.h"
#include "core/router/hash_table.h"

namespace moe {
namespace {

void drawSegments(Model::Impl& model, std::uint64_t seed) {
  const std::vector<Segment> segments = modelSegments(model.config);
  const double layers = static_cast<double>(model.config.layers.size());
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const TensorView& value = model.parameters.all()[i].value;
    double deviation = model.config.initDeviation;
    switch (segments[i].kind) {
      case Segment::Kind::one: model.backend.fill(value, 1); continue;
      case Segment::Kind::zero: model.backend.fill(value, 0); continue;
      case Segment::Kind::output: deviation /= std::sqrt(2 * layers); break;
      case Segment::Kind::matrix: break;
    }
    const Tensor drawn = hostTensor(value.shape, value.dtype);
    fillNormal(drawn, {.seed = seed, .stream = RandomStream::parameters, .layer = static_cast<std::uint32_t>(i)}, 0,
               deviation);
    model.backend.copy(value, drawn);
  }
}

void initialiseLayer(Model::Impl& model, std::size_t layer, std::uint64_t seed) {
  const Recipe& recipe = model.config.layers[layer].recipe;
  const auto index = static_cast<std::uint32_t>(layer);
  const auto value = [&](std::string_view name) {
    return model.parameters.value(layerPrefix(layer) + std::string(name));
  };
  if (recipe.experts.init != Recipe::Experts::Init::random)
    changeOnHost(model.backend, bindMoeWeights(recipe, model.config.width, value).experts,
                 [&](const ExpertsWeights& bank) {
                   initialiseExperts(bank, expertsSpec(recipe, model.config.width), recipe.experts,
                                     {.seed = seed, .stream = RandomStream::newExperts, .layer = index});
                 });
  if (recipe.select.kind == Recipe::Select::Kind::hash)
    model.hashTables[layer] = makeHashTable(model.config.vocabulary, recipe.experts.count, seed, index);
}

}  // namespace

void Model::initialise(std::uint64_t seed) {
  drawSegments(*impl_, seed);
  for (int layer : impl_->expertLayers)
    if (layer != kHeadLayer) initialiseLayer(*impl_, static_cast<std::size_t>(layer), seed);
  for (const Parameter& parameter : impl_->parameters.all()) impl_->backend.parametersChanged(parameter.value);
  if (!impl_->biasArena.empty()) impl_->backend.fill(impl_->biasArena, 0);
}

}  // namespace moe
