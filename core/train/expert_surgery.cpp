#include "core/train/expert_surgery.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "core/backend/backend.h"
#include "core/base/error.h"
#include "core/base/number_text.h"
#include "core/model/moe_segments.h"
#include "core/model/segments.h"
#include "core/tensor/philox.h"
#include "core/tensor/scalar.h"

namespace moe {
namespace {

using Named = TrainingState::Named;
constexpr int kFresh = -1;
constexpr int kMost = 1024;  // experts added at once

[[noreturn]] void refuse(const std::string& sentence) { throw Error("experts", sentence); }

/// Where each expert of a layer comes from.
struct Origin {
  int from = kFresh;  // an old expert
  bool added = false;
};

/// What one layer becomes.
struct Plan {
  std::size_t layer = 0;
  std::vector<Origin> origins;  // (new E)
  Recipe before, after;
};

int busiestOf(const std::vector<ExpertUtilization>& loads, std::size_t layer) {
  const ExpertUtilization* most = nullptr;
  for (const ExpertUtilization& expert : loads)
    if (expert.layer == static_cast<int>(layer) && (!most || expert.utilization > most->utilization)) most = &expert;
  if (!most)
    refuse("No step has been counted yet, so no expert is the busiest; train a step first, or add fresh experts.");
  return most->expert;
}

std::vector<Origin> originsFor(const ExpertSurgery& surgery, int experts, std::size_t layer,
                               const std::vector<ExpertUtilization>& loads) {
  std::vector<Origin> origins;
  for (int e = 0; e < experts; ++e)
    if (surgery.kind == ExpertSurgery::Kind::add || e != surgery.expert) origins.push_back({e, false});
  if (surgery.kind == ExpertSurgery::Kind::remove) {
    if (surgery.expert < 0 || surgery.expert >= experts)
      refuse("Layer " + std::to_string(layer) + " has experts 0 to " + std::to_string(experts - 1) + ", no " +
             std::to_string(surgery.expert) + ".");
    return origins;
  }
  const int from = surgery.from == ExpertSurgery::From::fresh ? kFresh : busiestOf(loads, layer);
  for (int i = 0; i < surgery.count; ++i) origins.push_back({from, true});
  return origins;
}

/// Numbers of experts after the change; those that went are left out.
std::vector<int> renumbered(const std::vector<int>& experts, const std::vector<Origin>& origins) {
  std::vector<int> list;
  for (int old : experts)
    for (std::size_t e = 0; e < origins.size(); ++e)
      if (!origins[e].added && origins[e].from == old) list.push_back(static_cast<int>(e));
  return list;
}

Recipe changed(const Recipe& before, const std::vector<Origin>& origins, const ExpertSurgery& surgery,
               std::int64_t step) {
  Recipe after = before;
  after.experts.count = static_cast<int>(origins.size());
  after.experts.init = Recipe::Experts::Init::random;  // weights come from the state, no longer from a dense network
  after.experts.initNoise = 0;
  if (before.experts.hidden.size() > 1) {
    after.experts.hidden.clear();
    for (const Origin& origin : origins)
      after.experts.hidden.push_back(
          static_cast<int>(before.hiddenOf(origin.from == kFresh ? before.experts.count - 1 : origin.from)));
  }
  if (auto& force = after.select.force) {
    force->experts = renumbered(force->experts, origins);
    if (force->experts.empty()) after.select.force.reset();
  }
  if (surgery.kind == ExpertSurgery::Kind::add && surgery.coldStart &&
      before.select.kind == Recipe::Select::Kind::topK) {
    Recipe::Select::Force force{.experts = {}, .fraction = surgery.fraction, .steps = step + surgery.steps};
    for (std::size_t e = 0; e < origins.size(); ++e)
      if (origins[e].added) force.experts.push_back(static_cast<int>(e));
    after.select.force = force;
  }
  return after;
}

TensorView find(const std::vector<Named>& tensors, const std::string& name) {
  const auto found = std::ranges::find(tensors, name, &Named::name);
  return found == tensors.end() ? TensorView{} : found->tensor.view();
}

double deviationOf(const TensorView& view) {
  double sum = 0, squares = 0;
  withScalar(view.dtype, [&]<class S>() {
    for (const S value : view.span<S>()) sum += static_cast<double>(value);
    const double mean = sum / static_cast<double>(view.elements());
    for (const S value : view.span<S>())
      squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
  });
  return std::sqrt(squares / static_cast<double>(view.elements()));
}

/// to += N(0, deviation), draws addressed by expert.
void addNoise(const TensorView& to, double deviation, const RandomKey& key, std::size_t expert) {
  if (deviation == 0) return;
  const Tensor noise = hostTensor({1, to.elements()}, to.dtype);
  fillNormal(noise, key, 0, deviation, static_cast<std::uint32_t>(expert));
  withScalar(to.dtype, [&]<class S>() {
    for (std::int64_t i = 0; i < to.elements(); ++i) to.as<S>()[i] += noise.as<S>()[i];
  });
}

/// One kind of weight of one expert: in the bank before and after.
struct Part {
  TensorView to, from, scale;  // scale: what noise is measured by; empty: a bias, which stays as copied, or begins at 0
  double freshDeviation = 0;
};

/// The parts of expert e, from its origin. Views are empty where the recipe has no such weight.
std::vector<Part> partsOf(const Plan& plan, std::size_t e, const MoeWeights& to, const MoeWeights& from,
                          const ModelConfig& model) {
  const int old = plan.origins[e].from;
  const ExpertsSpec before = expertsSpec(plan.before, model.width), after = expertsSpec(plan.after, model.width);
  const ExpertsWeights target = oneExpert(after, to.experts, static_cast<std::int64_t>(e));
  const ExpertsWeights source = old == kFresh ? ExpertsWeights{} : oneExpert(before, from.experts, old);
  const auto row = [](const TensorView& view, std::int64_t index) {
    return view.empty() || index < 0 ? TensorView{} : view.rows(index, index + 1);
  };
  const double drawn = model.initDeviation,
               residual = drawn / std::sqrt(2.0 * static_cast<double>(model.layers.size()));
  const auto at = static_cast<std::int64_t>(e);
  return {{target.gate, source.gate, source.gate, drawn},
          {target.up, source.up, source.up, drawn},
          {target.down, source.down, source.down, residual},
          {target.gateBias, source.gateBias, {}, 0},
          {target.upBias, source.upBias, {}, 0},
          {target.downBias, source.downBias, {}, 0},
          {row(to.router.weight, at), row(from.router.weight, old), from.router.weight, drawn},
          {row(to.router.bias, at), row(from.router.bias, old), {}, 0},
          {row(to.router.noiseWeight, at), row(from.router.noiseWeight, old), from.router.noiseWeight, drawn}};
}

MoeWeights weightsIn(const std::vector<Named>& tensors, const Recipe& recipe, const ModelConfig& model,
                     std::size_t layer) {
  return bindMoeWeights(recipe, model.width,
                        [&](std::string_view name) { return find(tensors, layerPrefix(layer) + std::string(name)); });
}

/// Experts that stay are copied bit for bit; `draws`: new ones get noise or fresh numbers, else (moments) none.
void fillLayer(std::vector<Named>& after, const std::vector<Named>& before, const Plan& plan, const ModelConfig& model,
               const ExpertSurgery& surgery, const std::optional<RandomKey>& draws) {
  const MoeWeights to = weightsIn(after, plan.after, model, plan.layer),
                   from = weightsIn(before, plan.before, model, plan.layer);
  for (std::size_t e = 0; e < plan.origins.size(); ++e) {
    std::uint64_t kind = 0;
    for (const Part& part : partsOf(plan, e, to, from, model)) {
      ++kind;
      if (part.to.empty()) continue;
      if (!part.from.empty()) std::memcpy(part.to.data, part.from.data, part.to.bytes());
      if (!draws || !plan.origins[e].added) continue;
      RandomKey key = *draws;
      key.step = key.step * 16 + kind;
      key.layer = static_cast<std::uint32_t>(plan.layer);
      const double deviation = part.from.empty()    ? part.freshDeviation
                               : part.scale.empty() ? 0
                                                    : surgery.noise * deviationOf(part.scale);
      addNoise(part.to, deviation, key, e);
    }
  }
}

bool belongs(const SegmentPlace& place, const Plan& plan) {
  return place.layer == static_cast<int>(plan.layer) &&
         (place.part == SegmentPart::router || place.part == SegmentPart::experts);
}

/// The tensors of the new model, zero where an expert is new.
std::vector<Named> resized(const std::vector<Named>& before, const ModelConfig& model, const std::vector<Plan>& plans) {
  std::vector<Named> after;
  for (const Segment& segment : modelSegments(model)) {
    const TensorView old = find(before, segment.name);
    if (old.empty()) refuse(segment.name + ": expected in the checkpoint, found nothing; choose another one.");
    after.push_back({segment.name, hostTensor(segment.shape, old.dtype)});
    const TensorView now = after.back().tensor;
    std::memset(now.data, 0, now.bytes());
    if (std::ranges::any_of(plans, [&](const Plan& plan) { return belongs(segment.place, plan); })) continue;
    if (old.shape != now.shape)
      refuse(segment.name + ": expected shape " + now.shape.text() + ", the checkpoint has " + old.shape.text() + ".");
    std::memcpy(now.data, old.data, now.bytes());
  }
  return after;
}

void moveBias(std::vector<Named>& biases, const Plan& plan) {
  const auto found = std::ranges::find(biases, layerPrefix(plan.layer) + "router.selection_bias", &Named::name);
  if (found == biases.end()) return;
  Tensor moved = hostTensor({static_cast<std::int64_t>(plan.origins.size())}, found->tensor.dtype());
  withScalar(moved.dtype(), [&]<class S>() {
    const std::span<S> old = found->tensor.span<S>();
    double mean = 0;
    for (const S bias : old) mean += static_cast<double>(bias) / static_cast<double>(old.size());
    for (std::size_t e = 0; e < plan.origins.size(); ++e) {
      const int from = plan.origins[e].from;
      moved.as<S>()[e] = from == kFresh ? static_cast<S>(mean) : old[static_cast<std::size_t>(from)];
    }
  });
  found->tensor = std::move(moved);
}

void moveFrozen(std::vector<ExpertPlace>& frozen, const Plan& plan) {
  std::vector<ExpertPlace> moved;
  for (const ExpertPlace& place : frozen) {
    if (place.layer != static_cast<int>(plan.layer))
      moved.push_back(place);
    else
      for (int e : renumbered({place.expert}, plan.origins)) moved.push_back({place.layer, e});
  }
  std::ranges::sort(moved);
  frozen = std::move(moved);
}

std::string said(const ExpertSurgery& surgery, const std::vector<Plan>& plans) {
  const bool all = surgery.layer == ExpertSurgery::kAllLayers;
  const std::string where = all ? "every expert layer" : "layer " + std::to_string(surgery.layer);
  if (surgery.kind == ExpertSurgery::Kind::remove)
    return "Expert " + std::to_string(surgery.expert) + " was removed from " + where + ".";
  std::string text =
      std::to_string(surgery.count) + (surgery.count == 1 ? " expert was" : " experts were") + " added to " + where;
  if (surgery.from == ExpertSurgery::From::fresh) {
    text += ", fresh";
  } else {
    std::string sources;
    for (const Plan& plan : plans)
      sources += (sources.empty() ? "L" : ", L") + std::to_string(plan.layer) + " E" +
                 std::to_string(plan.origins.back().from);
    text += surgery.count == 1 ? ", a copy of the busiest (" : ", copies of the busiest (";
    text += sources + ") with noise " + numberText(surgery.noise);
  }
  if (const auto& force = plans.front().after.select.force; force && surgery.coldStart) {
    text += "; " + numberText(100 * force->fraction) + " % of tokens are sent there until step " +
            std::to_string(force->steps);
  }
  return text + ".";
}

std::vector<Plan> plansFor(const RunConfig& config, const WatchState& watch, const ExpertSurgery& surgery,
                           std::int64_t step) {
  if (surgery.kind == ExpertSurgery::Kind::add && (surgery.count < 1 || surgery.count > kMost))
    refuse("Between 1 and " + std::to_string(kMost) + " experts can be added at once.");
  if (!(surgery.noise >= 0 && surgery.noise <= 100)) refuse("The noise of a copy lies between 0 and 100.");
  if (!(surgery.fraction >= 0 && surgery.fraction <= 1) || surgery.steps < 0)
    refuse("A cold start sends a share of the tokens between 0 and 1, for 0 steps or more.");
  LoadWindow window(std::max<std::int64_t>(1, static_cast<std::int64_t>(watch.loads.size())));
  window.restore(watch.loads);
  const std::vector<ExpertUtilization> loads = window.utilization(window.size());
  std::vector<Plan> plans;
  for (std::size_t layer = 0; layer < config.model.layers.size(); ++layer) {
    const LayerConfig& now = config.model.layers[layer];
    if (!now.hasExperts || (surgery.layer != ExpertSurgery::kAllLayers && surgery.layer != static_cast<int>(layer)))
      continue;
    Plan plan{layer, originsFor(surgery, now.recipe.experts.count, layer, loads), now.recipe, {}};
    plan.after = changed(now.recipe, plan.origins, surgery, step);
    plans.push_back(std::move(plan));
  }
  if (plans.empty())
    refuse(surgery.layer == ExpertSurgery::kAllLayers ? "This model has no layer with experts."
                                                      : "Layer " + std::to_string(surgery.layer) + " has no experts.");
  return plans;
}

}  // namespace

std::string operate(RunConfig& config, TrainingState& state, WatchState& watch, const ExpertSurgery& surgery) {
  const std::vector<Plan> plans = plansFor(config, watch, surgery, state.step);
  RunConfig after = config;
  after.startFrom = {};
  for (LayerConfig& layer : after.model.layers)  // one recipe for all where it was one
    if (!layer.hasExperts && layer.recipe == plans.front().before && surgery.layer == ExpertSurgery::kAllLayers)
      layer.recipe = plans.front().after;
  for (const Plan& plan : plans) {
    after.model.layers[plan.layer].recipe = plan.after;
    moveFrozen(after.train.frozenExperts, plan);
  }
  if (const std::vector<Problem> found = problems(after); !found.empty())
    refuse(found.front().path + ": " + found.front().sentence);

  TrainingState moved;
  moved.step = state.step;
  const RandomKey key{
      .seed = config.seed, .stream = RandomStream::newExperts, .step = static_cast<std::uint64_t>(state.step) + 1};
  for (const auto list : {&TrainingState::parameters, &TrainingState::optimizerM, &TrainingState::optimizerV}) {
    moved.*list = resized(state.*list, after.model, plans);
    for (const Plan& plan : plans)
      fillLayer(moved.*list, state.*list, plan, config.model, surgery,
                list == &TrainingState::parameters ? std::optional(key) : std::nullopt);
  }
  moved.selectionBias = std::move(state.selectionBias);
  for (const Plan& plan : plans) moveBias(moved.selectionBias, plan);
  config = std::move(after);
  state = std::move(moved);
  watch.loads.clear();
  watch.alerts.clear();
  return said(surgery, plans);
}

}  // namespace moe
