#include <cmath>

#include "core/model/model_impl.h"
#include "core/router/hash_table.h"

namespace moe {
namespace {

/// Every expert begins as the first one (upcycling from one dense network).
void copyFirstExpert(const TensorView& bank, std::int64_t experts) {
  const std::size_t bytes = bank.bytes() / static_cast<std::size_t>(experts);
  auto* data = static_cast<std::byte*>(bank.data);
  for (std::int64_t e = 1; e < experts; ++e) std::copy_n(data, bytes, data + static_cast<std::size_t>(e) * bytes);
}

void addNoise(const TensorView& out, const RandomKey& key, double deviation) {
  const Tensor noise = hostTensor(out.shape, out.dtype);
  fillNormal(noise, key, 0, deviation);
  for (std::int64_t i = 0; i < out.elements(); ++i) {
    if (out.dtype == DType::f64) out.as<double>()[i] += noise.as<double>()[i];
    else out.as<float>()[i] += noise.as<float>()[i];
  }
}

/// experts.init: slices of a freshly drawn dense network are fresh draws, so dense_slice only adds its noise.
void editExperts(const TensorView& drawn, const Recipe::Experts& experts, const RandomKey& key, double deviation) {
  if (experts.init == Recipe::Experts::Init::denseCopy) copyFirstExpert(drawn, experts.count);
  if (experts.init != Recipe::Experts::Init::random && experts.initNoise > 0)
    addNoise(drawn, key, experts.initNoise * deviation);
}

}  // namespace

void Model::initialise(std::uint64_t seed) {
  Impl& model = *impl_;
  const std::vector<Segment> segments = modelSegments(model.config);
  const double outputDeviation = model.config.initDeviation / std::sqrt(2.0 * static_cast<double>(model.config.layers.size()));
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const Segment& segment = segments[i];
    const Parameter& parameter = model.parameters.all()[i];
    if (segment.kind == Segment::Kind::one || segment.kind == Segment::Kind::zero) {
      model.backend.fill(parameter.value, segment.kind == Segment::Kind::one ? 1 : 0);
    } else {
      const double deviation = segment.kind == Segment::Kind::output ? outputDeviation : model.config.initDeviation;
      const RandomKey key{.seed = seed, .stream = RandomStream::parameters, .layer = static_cast<std::uint32_t>(i)};
      const Tensor drawn = hostTensor(segment.shape, model.dtype);
      fillNormal(drawn, key, 0, deviation);
      if (segment.routedExpertsOf >= 0) {
        RandomKey noise = key;
        noise.stream = RandomStream::newExperts;
        editExperts(drawn, model.config.layers[static_cast<std::size_t>(segment.routedExpertsOf)].recipe.experts, noise, deviation);
      }
      model.backend.copy(parameter.value, drawn);
    }
    model.backend.parametersChanged(parameter.value);
  }
  for (std::vector<float>& bias : model.selectionBias) std::fill(bias.begin(), bias.end(), 0.0f);
  for (std::size_t i = 0; i < model.config.layers.size(); ++i) {
    const LayerConfig& layer = model.config.layers[i];
    if (layer.hasExperts && layer.recipe.select.kind == Recipe::Select::Kind::hash)
      model.hashTables[i] = makeHashTable(model.config.vocabulary, layer.recipe.experts.count, seed, static_cast<std::uint32_t>(i));
  }
}

}  // namespace moe
