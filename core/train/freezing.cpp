#include "core/train/freezing.h"

#include <algorithm>

#include "core/model/moe_segments.h"
#include "core/model/segments.h"

namespace moe {
namespace {

bool isFrozen(SegmentPart part, TrainConfig::Freeze what) {
  const bool router = part == SegmentPart::router, expert = part == SegmentPart::experts;
  switch (what) {
    case TrainConfig::Freeze::none: return false;
    case TrainConfig::Freeze::router: return router;
    case TrainConfig::Freeze::experts: return expert;
    case TrainConfig::Freeze::allButRouter: return !router;
  }
  return false;
}

/// `part` lies inside one of the model's parameters: its elements there stay.
void freezePart(Model& model, const TensorView& part) {
  const auto* begin = static_cast<const std::byte*>(part.data);
  for (Parameter& parameter : model.parameters().all()) {
    const auto* first = static_cast<const std::byte*>(parameter.value.data);
    if (begin < first || begin >= first + parameter.value.bytes()) continue;
    const auto element = static_cast<std::int64_t>(sizeOf(part.dtype));
    const std::int64_t at = (begin - first) / element;
    parameter.frozenParts.emplace_back(at, at + part.elements());
  }
}

void freezeExpert(Model& model, const ExpertPlace& place) {
  const auto layer = static_cast<std::size_t>(place.layer);
  const Recipe& recipe = model.config().layers[layer].recipe;
  const std::int64_t width = model.config().width;
  const MoeWeights weights = bindMoeWeights(recipe, width, [&](std::string_view name) {
    return model.parameters().value(layerPrefix(layer) + std::string(name));
  });
  const ExpertsWeights one = oneExpert(expertsSpec(recipe, width), weights.experts, place.expert);
  for (const TensorView& part : {one.gate, one.up, one.down, one.gateBias, one.upBias, one.downBias})
    if (!part.empty()) freezePart(model, part);
}

}  // namespace

void freeze(Model& model, const TrainConfig& train) {
  for (Parameter& parameter : model.parameters().all()) {
    parameter.frozen = isFrozen(parameter.place.part, train.freeze);
    parameter.frozenParts.clear();
  }
  for (const ExpertPlace& place : train.frozenExperts) freezeExpert(model, place);
}

}  // namespace moe
