#include "core/explain/run_facts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/json_text.h"
#include "core/model/segments.h"
#include "core/router/balance_scale.h"
#include "core/router/problems.h"
#include "core/router/recipe_rows.h"
#include "core/telemetry/figure_text.h"
#include "core/telemetry/points.h"
#include "core/train/memory.h"

namespace moe {
namespace {

/// The word of the term's kind.
const SettingWord* kindOf(const Recipe::BalanceTerm& term) {
  for (const SettingRow<Recipe::BalanceTerm>& row : balanceRows().rows)
    if (row.setting.path == "kind") return row.wordIn(term);
  return nullptr;
}

RouterFacts routerFacts(const Recipe& recipe, int layer) {
  RouterFacts facts;
  facts.layer = layer;
  using Score = RouterFacts::Score;
  using Weight = RouterFacts::Weight;
  switch (recipe.score) {
    case Recipe::Score::softmax: facts.score = Score::softmax; break;
    case Recipe::Score::sigmoid: facts.score = Score::sigmoid; break;
    case Recipe::Score::identity: facts.score = Score::identity; break;
  }
  if (recipe.logits.kind == Recipe::Logits::Kind::none) facts.score = Score::none;
  switch (recipe.weigh.kind) {
    case Recipe::Weigh::Kind::score: facts.weight = Weight::score; break;
    case Recipe::Weigh::Kind::renormalised: facts.weight = Weight::renormalised; break;
    case Recipe::Weigh::Kind::softmaxSelected: facts.weight = Weight::softmaxSelected; break;
    case Recipe::Weigh::Kind::one: facts.weight = Weight::one; break;
  }
  facts.epsilon = recipe.weigh.epsilon;
  facts.scale = recipe.weigh.scale;
  facts.ranking = recipe.adjust.rankBy == Recipe::Adjust::RankBy::scores ? "r = s" : "r = z";
  if (recipe.adjust.selectionBias) facts.ranking += " + b";
  return facts;
}

/// What a segment is there for, in a person's words.
std::string partOf(const SegmentPlace& place) {
  switch (place.part) {
    case SegmentPart::embedding: return "embedding";
    case SegmentPart::norm: return "norms";
    case SegmentPart::attention: return "attention";
    case SegmentPart::feedForward: return "dense layers";
    case SegmentPart::head: return "output head";
    case SegmentPart::experts: return place.layer == kHeadLayer ? "head's experts" : "experts";
    case SegmentPart::shared: return "shared experts";
    case SegmentPart::denseResidual: return "dense residual";
    case SegmentPart::router: return "routers";
  }
  return {};
}

/// Parameters by what they are there for, in the order of a token's way.
std::vector<RunFacts::Part> partsOf(const ModelConfig& model) {
  std::vector<RunFacts::Part> parts;
  for (const Segment& segment : modelSegments(model)) {
    const std::string name = partOf(segment.place);
    const auto found = std::ranges::find(parts, name, &RunFacts::Part::name);
    if (found == parts.end())
      parts.push_back({name, segment.shape.elements()});
    else
      found->count += segment.shape.elements();
  }
  return parts;
}

/// What the number of active parameters takes for granted.
std::string assumedActive(const RunConfig& config) {
  const auto layer = std::ranges::find_if(config.model.layers, &LayerConfig::hasExperts);
  if (layer == config.model.layers.end() || layer->recipe.select.kind != Recipe::Select::Kind::topP) return "";
  const double k = activeExperts(layer->recipe, tokensOfPass(config));
  return " Taken for granted: \u2308p E\u2309 = " + figureText(k) +
         " experts a token, as if all were equally probable; what a token really passed is \u201crouted\u201d.";
}

}  // namespace

std::vector<RunFacts::Term> balanceTermsOf(const ModelConfig& model) {
  std::vector<RunFacts::Term> terms;
  const auto first = std::ranges::find_if(model.layers, &LayerConfig::hasExperts);
  if (first == model.layers.end()) return terms;
  const Recipe& recipe = first->recipe;
  const auto layers = std::ranges::count_if(model.layers, &LayerConfig::hasExperts);
  for (std::size_t i = 0; i < recipe.balance.size(); ++i) {
    const Recipe::BalanceTerm& term = recipe.balance[i];
    const BalanceScale scale = balanceScale(recipe, i, 1);
    RunFacts::Term fact;
    if (const SettingWord* word = kindOf(term)) {
      fact.label = word->label;
      fact.formula = scale.formula.empty() ? word->formula : scale.formula;
    }
    fact.coefficient = term.coefficient;
    fact.z = term.kind == Recipe::BalanceTerm::Kind::z;
    const bool separate =
        term.kind != Recipe::BalanceTerm::Kind::load || term.layers == Recipe::BalanceTerm::Layers::separate;
    fact.copies = separate ? static_cast<int>(layers) : 1;
    if (scale.kind == BalanceScale::Kind::ratio) fact.atBalance = scale.atBalance;
    fact.timesAssignments = balanceScale(recipe, i, 2).atBalance != scale.atBalance;
    fact.oneAbove = scale.kind == BalanceScale::Kind::oneAbove;
    fact.convention = scale.convention;
    terms.push_back(std::move(fact));
  }
  return terms;
}

RunFacts factsOf(const RunConfig& config, const TextSize& text) {
  RunFacts facts;
  facts.tokens = std::int64_t{config.train.batch} * config.train.microBatches * config.model.context;
  const ModelSize size = sizeOf(config);
  facts.totalParameters = size.totalParameters;
  facts.activeParameters = size.activeParameters;
  facts.flopsPerToken = size.flopsPerToken;
  facts.assumedActive = assumedActive(config);
  facts.deadBelow = config.alerts.threshold;
  facts.deadClears = config.alerts.clears;
  facts.deadWindow = config.alerts.window;
  facts.parts = partsOf(config.model);
  facts.memory = predictedMemoryParts(config, text);
  for (std::size_t i = 0; i < config.model.layers.size(); ++i)
    if (config.model.layers[i].hasExperts)
      facts.routers.push_back(routerFacts(config.model.layers[i].recipe, static_cast<int>(i)));
  if (const auto head = headRecipe(config.model)) facts.routers.push_back(routerFacts(*head, kHeadLayer));
  facts.terms = balanceTermsOf(config.model);
  const auto first = std::ranges::find_if(config.model.layers, &LayerConfig::hasExperts);
  if (first != config.model.layers.end()) facts.slots = first->recipe.slotsPerToken();
  return facts;
}

bool seesLaterTokens(const ModelConfig& config) {
  return std::ranges::any_of(config.layers,
                             [](const LayerConfig& layer) { return layer.hasExperts && !marks(layer.recipe).empty(); });
}

std::optional<RunConfig> configFromText(const std::string& config) {
  try {
    std::string problem;
    const auto json = parseStrictJson(config, kDeepestJson, problem);
    if (!problem.empty()) return std::nullopt;
    return runConfigFromJson(json);
  } catch (const std::exception&) { return std::nullopt; }
}

}  // namespace moe
