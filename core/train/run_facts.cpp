#include "core/train/run_facts.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/router/balance_scale.h"
#include "core/router/problems.h"
#include "core/router/stages.h"

namespace moe {
namespace {

/// The row of the balance stage's first choice that names this kind.
const StageOption* kindOption(const Recipe::BalanceTerm& term) {
  const auto& kinds = findStage("balance")->settings.front().options;
  const auto index = static_cast<std::size_t>(term.kind);
  return index < kinds.size() ? &kinds[index] : nullptr;
}

}  // namespace

RunFacts factsOf(const RunConfig& config) {
  RunFacts facts;
  facts.tokens = std::int64_t{config.train.batch} * config.train.microBatches * config.model.context;
  const ModelSize size = sizeOf(config.model);
  facts.totalParameters = size.totalParameters;
  facts.activeParameters = size.activeParameters;
  facts.flopsPerToken = size.flopsPerToken;
  facts.deadBelow = config.alerts.threshold;
  facts.deadWindow = config.alerts.window;
  const auto first = std::ranges::find_if(config.model.layers, [](const LayerConfig& layer) { return layer.hasExperts; });
  if (first == config.model.layers.end()) return facts;
  const Recipe& recipe = first->recipe;
  facts.slots = recipe.slotsPerToken();
  const auto layers = std::ranges::count_if(config.model.layers, [](const LayerConfig& layer) { return layer.hasExperts; });
  for (std::size_t i = 0; i < recipe.balance.size(); ++i) {
    const Recipe::BalanceTerm& term = recipe.balance[i];
    const BalanceScale scale = balanceScale(recipe, i, 1);
    RunFacts::Term fact;
    if (const StageOption* option = kindOption(term)) fact.label = option->label, fact.formula = option->formula;
    fact.coefficient = term.coefficient;
    fact.z = term.kind == Recipe::BalanceTerm::Kind::z;
    const bool separate = term.kind != Recipe::BalanceTerm::Kind::load || term.layers == Recipe::BalanceTerm::Layers::separate;
    fact.copies = separate ? static_cast<int>(layers) : 1;
    if (scale.kind == BalanceScale::Kind::ratio) fact.atBalance = scale.atBalance;
    fact.timesAssignments = balanceScale(recipe, i, 2).atBalance != scale.atBalance;
    fact.oneAbove = scale.kind == BalanceScale::Kind::oneAbove;
    fact.convention = scale.convention;
    facts.terms.push_back(std::move(fact));
  }
  return facts;
}

bool seesLaterTokens(const ModelConfig& config) {
  return std::ranges::any_of(config.layers, [](const LayerConfig& layer) { return layer.hasExperts && !marks(layer.recipe).empty(); });
}

std::optional<RunConfig> configFromText(const std::string& config) {
  try {
    const auto json = nlohmann::json::parse(config, nullptr, false);
    if (json.is_discarded()) return std::nullopt;
    return runConfigFromJson(json);
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace moe
