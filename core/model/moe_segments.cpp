#include "core/model/moe_segments.h"

#include <algorithm>
#include <cassert>

namespace moe {

namespace {

bool equalSizes(const ExpertsSpec& spec) {
  return std::all_of(spec.hidden.begin(), spec.hidden.end(), [&](std::int64_t f) { return f == spec.hidden.front(); });
}

void addBank(std::vector<MoeSegment>& out, const std::string& bank, SegmentPart part, const ExpertsSpec& spec,
             bool bias) {
  using Kind = MoeSegment::Kind;
  using Role = SegmentRole;
  const std::int64_t E = spec.experts(), D = spec.width, O = spec.outputWidth, H = spec.hiddenTotal();
  if (spec.kind == ExpertKind::linear) {
    out.push_back({bank + ".down", {E, O, D}, Kind::matrix, part, Role::down});
  } else {
    const std::int64_t wide = spec.kind == ExpertKind::clampedGlu ? 2 : 1;
    const auto into = [&](std::int64_t times) {
      return equalSizes(spec) ? Shape{E, times * (H / E), D} : Shape{times * H, D};
    };
    if (spec.kind == ExpertKind::glu) out.push_back({bank + ".gate", into(1), Kind::matrix, part, Role::gate});
    out.push_back({bank + ".up", into(wide), Kind::matrix, part, Role::up});
    out.push_back(
        {bank + ".down", equalSizes(spec) ? Shape{E, O, H / E} : Shape{O * H}, Kind::matrix, part, Role::down});
    if (bias && spec.kind == ExpertKind::glu)
      out.push_back({bank + ".gate_bias", {H}, Kind::bias, part, Role::gateBias});
    if (bias) out.push_back({bank + ".up_bias", {wide * H}, Kind::bias, part, Role::upBias});
  }
  if (bias) out.push_back({bank + ".down_bias", {E, O}, Kind::bias, part, Role::downBias});
}

using Find = std::function<TensorView(std::string_view)>;

TensorView shaped(const TensorView& view, Shape shape) { return view.empty() ? TensorView{} : view.reshaped(shape); }

ExpertsWeights bindBank(const Find& find, const std::string& bank, const ExpertsSpec& spec, bool bias) {
  const std::int64_t E = spec.experts(), D = spec.width, O = spec.outputWidth, H = spec.hiddenTotal();
  const std::int64_t wide = spec.kind == ExpertKind::clampedGlu ? 2 : 1;
  ExpertsWeights weights;
  const bool linear = spec.kind == ExpertKind::linear, gated = spec.kind == ExpertKind::glu;
  if (gated) weights.gate = shaped(find(bank + ".gate"), {H, D});
  if (!linear) weights.up = shaped(find(bank + ".up"), {wide * H, D});
  weights.down = linear ? shaped(find(bank + ".down"), {E, O, D}) : shaped(find(bank + ".down"), {O * H});
  if (bias && gated) weights.gateBias = shaped(find(bank + ".gate_bias"), {H});
  if (bias && !linear) weights.upBias = shaped(find(bank + ".up_bias"), {wide * H});
  if (bias) weights.downBias = find(bank + ".down_bias");
  return weights;
}

}  // namespace

ExpertsSpec expertsSpec(const Recipe& recipe, std::int64_t width) {
  const Recipe::Experts& experts = recipe.experts;
  ExpertsSpec spec;
  spec.kind = experts.kind;
  spec.activation = experts.activation;
  spec.width = width;
  spec.outputWidth = experts.outputWidth ? experts.outputWidth : width;
  for (int e = 0; e < experts.count; ++e)
    spec.hidden.push_back(experts.kind == ExpertKind::linear ? 0 : recipe.hiddenOf(e));
  spec.alpha = experts.alpha;
  spec.limit = experts.limit;
  spec.weightOnInput = recipe.weigh.appliesTo == Recipe::Weigh::AppliesTo::input;
  spec.dropout = recipe.combine.expertDropout;
  return spec;
}

ExpertsSpec sharedSpec(const Recipe& recipe, std::int64_t width) {
  assert(recipe.combine.shared);
  ExpertsSpec spec = expertsSpec(recipe, width);
  spec.hidden.assign(static_cast<std::size_t>(recipe.combine.shared->count),
                     spec.kind == ExpertKind::linear ? 0 : recipe.combine.shared->hidden);
  spec.weightOnInput = false;
  spec.dropout = 0;
  return spec;
}

ExpertsSpec denseResidualSpec(const Recipe& recipe, std::int64_t width) {
  assert(recipe.combine.denseResidual);
  const Recipe::Combine::DenseResidual& dense = *recipe.combine.denseResidual;
  ExpertsSpec spec;
  spec.kind = dense.kind;
  spec.activation = dense.activation;
  spec.width = spec.outputWidth = width;
  spec.hidden = {dense.kind == ExpertKind::linear ? 0 : dense.hidden};
  return spec;
}

std::vector<MoeSegment> moeSegments(const Recipe& recipe, std::int64_t width) {
  using Kind = MoeSegment::Kind;
  std::vector<MoeSegment> out;
  const std::int64_t E = recipe.experts.count;
  if (recipe.logits.kind == Recipe::Logits::Kind::linear) {
    out.push_back({"router.weight", {E, width}, Kind::router, SegmentPart::router, SegmentRole::weight});
    if (recipe.logits.bias) out.push_back({"router.bias", {E}, Kind::bias, SegmentPart::router, SegmentRole::bias});
    if (recipe.perturb.noise == Recipe::Perturb::Noise::learned)
      out.push_back({"router.noise_weight", {E, width}, Kind::router, SegmentPart::router, SegmentRole::noiseWeight});
  }
  addBank(out, "experts", SegmentPart::experts, expertsSpec(recipe, width), recipe.experts.bias);
  if (recipe.combine.shared) {
    addBank(out, "shared", SegmentPart::shared, sharedSpec(recipe, width), recipe.experts.bias);
    if (recipe.combine.shared->tokenGate)
      out.push_back({"shared.token_gate", {1, width}, Kind::matrix, SegmentPart::shared, SegmentRole::tokenGate});
  }
  if (recipe.combine.denseResidual) {
    addBank(out, "dense_residual", SegmentPart::denseResidual, denseResidualSpec(recipe, width),
            recipe.combine.denseResidual->bias);
    out.push_back({"dense_norm.weight", {width}, Kind::norm, SegmentPart::norm, SegmentRole::weight});
  }
  return out;
}

MoeWeights bindMoeWeights(const Recipe& recipe, std::int64_t width, const Find& find) {
  MoeWeights weights;
  if (recipe.logits.kind == Recipe::Logits::Kind::linear) {
    weights.router.weight = find("router.weight");
    if (recipe.logits.bias) weights.router.bias = find("router.bias");
    if (recipe.perturb.noise == Recipe::Perturb::Noise::learned)
      weights.router.noiseWeight = find("router.noise_weight");
  }
  weights.experts = bindBank(find, "experts", expertsSpec(recipe, width), recipe.experts.bias);
  if (recipe.combine.shared) {
    weights.shared = bindBank(find, "shared", sharedSpec(recipe, width), recipe.experts.bias);
    if (recipe.combine.shared->tokenGate) weights.tokenGate = find("shared.token_gate");
  }
  if (recipe.combine.denseResidual) {
    weights.denseResidual =
        bindBank(find, "dense_residual", denseResidualSpec(recipe, width), recipe.combine.denseResidual->bias);
    weights.denseNorm = find("dense_norm.weight");
  }
  return weights;
}

ExpertsSpec oneExpert(const ExpertsSpec& bank, std::int64_t e) {
  ExpertsSpec spec = bank;
  spec.hidden = {bank.hidden[static_cast<std::size_t>(e)]};
  return spec;
}

ExpertsWeights oneExpert(const ExpertsSpec& bank, const ExpertsWeights& weights, std::int64_t e) {
  const std::int64_t F = bank.hidden[static_cast<std::size_t>(e)], before = bank.hiddenBegin(e), O = bank.outputWidth;
  const std::int64_t wide = bank.kind == ExpertKind::clampedGlu ? 2 : 1;
  const bool linear = bank.kind == ExpertKind::linear;
  const auto rows = [](const TensorView& view, std::int64_t begin, std::int64_t end) {
    return view.empty() ? TensorView{} : view.rows(begin, end);
  };
  ExpertsWeights one;
  one.gate = rows(weights.gate, before, before + F);
  one.up = rows(weights.up, wide * before, wide * (before + F));
  one.down = linear ? rows(weights.down, e, e + 1) : rows(weights.down, O * before, O * (before + F));
  one.gateBias = rows(weights.gateBias, before, before + F);
  one.upBias = rows(weights.upBias, wide * before, wide * (before + F));
  one.downBias = rows(weights.downBias, e, e + 1);
  return one;
}

}  // namespace moe
