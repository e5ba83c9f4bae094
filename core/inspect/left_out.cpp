#include "core/inspect/left_out.h"

#include <algorithm>
#include <charconv>

#include "core/backend/backend.h"
#include "core/base/error.h"
#include "core/model/moe_segments.h"
#include "core/model/segments.h"

namespace moe {
namespace {

[[noreturn]] void refuse(const std::string& subject, const std::string& sentence) {
  throw Error("evaluate", subject + ": " + sentence);
}

bool readNumber(std::string_view text, int& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && number >= 0;
}

MoeWeights weightsOf(Model& model, std::size_t layer) {
  return bindMoeWeights(model.config().layers[layer].recipe, model.config().width, [&](std::string_view name) {
    return model.parameters().value(layerPrefix(layer) + std::string(name));
  });
}

void silence(Model& model, const ExpertsWeights& weights) {
  for (const TensorView& view : {weights.down, weights.downBias})
    if (!view.empty()) model.backend().fill(view, 0);
}

/// The bank's matrices changed: a backend may hold copies of them.
void tell(Model& model, std::size_t layer, const std::string& bank) {
  for (const char* name : {".down", ".down_bias"})
    if (const TensorView view = model.parameters().value(layerPrefix(layer) + bank + name); !view.empty())
      model.backend().parametersChanged(view);
}

void leaveOutShared(Model& model, std::size_t layer) {
  silence(model, weightsOf(model, layer).shared);
  tell(model, layer, "shared");
}

bool hasNextChoice(const Recipe& recipe) {
  return recipe.select.kind != Recipe::Select::Kind::hash && recipe.select.kind != Recipe::Select::Kind::assignment;
}

void leaveOutRouted(Model& model, std::size_t layer, std::span<const LeftOut> left) {
  const Recipe& recipe = model.config().layers[layer].recipe;
  std::vector<std::uint8_t> kept(static_cast<std::size_t>(recipe.experts.count), 1);
  for (const LeftOut& each : left) {
    if (each.shared || (each.layer != LeftOut::kAllLayers && each.layer != static_cast<int>(layer))) continue;
    if (each.expert >= recipe.experts.count)
      refuse(textOf(each), "layer " + std::to_string(layer) + " has experts 0 to " +
                               std::to_string(recipe.experts.count - 1) + "; choose one of them");
    kept[static_cast<std::size_t>(each.expert)] = 0;
  }
  const auto staying = std::ranges::count(kept, 1);
  if (staying == static_cast<std::ptrdiff_t>(kept.size())) return;
  if (!hasNextChoice(recipe)) {
    const ExpertsSpec spec = expertsSpec(recipe, model.config().width);
    const ExpertsWeights bank = weightsOf(model, layer).experts;
    for (std::size_t e = 0; e < kept.size(); ++e)
      if (!kept[e]) silence(model, oneExpert(spec, bank, static_cast<std::int64_t>(e)));
    tell(model, layer, "experts");
    return;
  }
  const int needed = recipe.select.kind == Recipe::Select::Kind::topK ? recipe.select.k : 1;
  if (staying < needed)
    refuse("layer " + std::to_string(layer), "a token takes " + std::to_string(needed) + " experts, but only " +
                                                 std::to_string(staying) + " would stay; leave out fewer");
  model.keepOnly(layer, kept);
}

}  // namespace

LeftOut leftOutFromText(const std::string& text) {
  LeftOut left;
  const std::size_t colon = text.find(':');
  const std::string layer = text.substr(0, colon), expert = colon == std::string::npos ? "" : text.substr(colon + 1);
  left.shared = expert == "shared";
  if ((layer != "all" && !readNumber(layer, left.layer)) || (!left.shared && !readNumber(expert, left.expert)))
    refuse(text, "expected layer:expert, such as 2:5, 2:shared or all:shared");
  return left;
}

std::string textOf(const LeftOut& left) {
  return (left.layer == LeftOut::kAllLayers ? "all" : std::to_string(left.layer)) + ":" +
         (left.shared ? "shared" : std::to_string(left.expert));
}

void leaveOut(Model& model, std::span<const LeftOut> left) {
  const std::vector<LayerConfig>& layers = model.config().layers;
  for (const LeftOut& each : left) {
    const auto has = [&](const LayerConfig& layer) {
      return layer.hasExperts && (!each.shared || layer.recipe.combine.shared);
    };
    const bool found = each.layer == LeftOut::kAllLayers ? std::ranges::any_of(layers, has)
                                                         : each.layer < static_cast<int>(layers.size()) &&
                                                               has(layers[static_cast<std::size_t>(each.layer)]);
    if (!found)
      refuse(textOf(each), each.shared ? "no shared experts there; choose a layer that has them"
                                       : "no routed experts there; choose a layer that has them");
  }
  model.backend().synchronize();
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    if (!layers[layer].hasExperts) continue;
    leaveOutRouted(model, layer, left);
    const bool shared = std::ranges::any_of(left, [&](const LeftOut& each) {
      return each.shared && (each.layer == LeftOut::kAllLayers || each.layer == static_cast<int>(layer));
    });
    if (shared && layers[layer].recipe.combine.shared) leaveOutShared(model, layer);
  }
  model.backend().synchronize();
}

}  // namespace moe
