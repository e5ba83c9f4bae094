#include "core/router/balance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/config/rows.h"
#include "core/router/balance_sums.h"
#include "core/router/capacity.h"
#include "core/router/recipe.h"
#include "core/router/routing.h"
#include "core/router/select.h"

namespace moe {
namespace {

using Term = BalanceTerm;

std::int32_t groupsOf(const Term& term, const Recipe& recipe, const RoutingInput& input) {
  if (term.kind != Term::Kind::load) return 1;
  if (term.scope == Term::Scope::sequence) return static_cast<std::int32_t>(input.sequences);
  return term.scope == Term::Scope::tokenGroup ? recipe.capacity.tokenGroups : 1;
}

bool readsUnadjusted(const Term& term, const Recipe& recipe) {
  return term.kind == Term::Kind::load && term.countsFrom == Term::CountsFrom::unadjusted &&
         recipe.select.kind == Recipe::Select::Kind::topK;
}

/// (groups, E) assignments of each expert: those asked for, or the top k of s alone.
void countAssignments(BalanceStatistics& out, const Routing& routing, const Term& term, bool unadjusted) {
  const std::vector<std::int32_t>& set = unadjusted ? routing.unadjusted : routing.asked;
  const std::int64_t slots = static_cast<std::int64_t>(set.size()) / routing.tokens;
  const std::int64_t counted = term.kind == Term::Kind::load && term.counts == Term::Counts::first ? 1 : slots;
  for (std::int32_t g = 0; g < out.groups; ++g) {
    double* count = out.count.data() + static_cast<std::int64_t>(g) * routing.experts;
    const TokenRange range = tokenGroup(routing.tokens, out.groups, g);
    for (std::int64_t t = range.begin; t < range.end; ++t)
      for (std::int64_t j = 0; j < counted; ++j) {
        const auto at = static_cast<std::size_t>(t * slots + j);
        if (set[at] >= 0 && (unadjusted || routing.wantsSlot[at])) count[set[at]] += 1;
      }
  }
}

/// (devices) tokens with at least one asked assignment in the block.
void countTokensSent(BalanceStatistics& out, const Routing& routing, int devices) {
  const std::int32_t block = routing.experts / devices;
  out.count.assign(static_cast<std::size_t>(devices), 0);
  std::vector<std::int64_t> lastToken(static_cast<std::size_t>(devices), -1);
  for (std::int64_t t = 0; t < routing.tokens; ++t)
    for (std::int64_t j = 0; j < routing.slots; ++j) {
      const auto at = static_cast<std::size_t>(t * routing.slots + j);
      if (routing.asked[at] < 0 || !routing.wantsSlot[at]) continue;
      const auto device = static_cast<std::size_t>(routing.asked[at] / block);
      if (lastToken[device] == t) continue;
      lastToken[device] = t;
      out.count[device] += 1;
    }
}

/// 1 / sum of the row where the scores are not probabilities yet.
template <class S>
double rowFactor(const S* s, std::int64_t experts, Recipe::Score kind) {
  if (kind != Recipe::Score::sigmoid) return 1;
  double sum = 0;
  for (std::int64_t e = 0; e < experts; ++e) sum += static_cast<double>(s[e]);
  return sum > 0 ? 1 / sum : 0;
}

/// (groups, E) mean probability P.
template <class S>
void averageScores(BalanceStatistics& out, const Routing& routing, Recipe::Score kind) {
  const std::int64_t experts = routing.experts;
  for (std::int32_t g = 0; g < out.groups; ++g) {
    double* mean = out.mean.data() + g * experts;
    const TokenRange range = tokenGroup(routing.tokens, out.groups, g);
    for (std::int64_t t = range.begin; t < range.end; ++t) {
      const S* s = routing.scores.as<S>() + t * experts;
      const double factor = rowFactor(s, experts, kind);
      for (std::int64_t e = 0; e < experts; ++e) mean[e] += static_cast<double>(s[e]) * factor;
    }
    for (std::int64_t e = 0; e < experts; ++e) mean[e] /= static_cast<double>(range.end - range.begin);
  }
}

template <class S>
double meanEntropy(const Routing& routing, Recipe::Score kind) {
  double sum = 0;
  for (std::int64_t t = 0; t < routing.tokens; ++t) {
    const S* s = routing.scores.as<S>() + t * routing.experts;
    const double factor = rowFactor(s, routing.experts, kind);
    for (std::int64_t e = 0; e < routing.experts; ++e)
      if (const double p = static_cast<double>(s[e]) * factor; p > 0) sum -= p * std::log(p);
  }
  return sum / static_cast<double>(routing.tokens);
}

template <class S>
double meanSquaredLogSumExp(Routing& routing, const RoutingInput& input) {
  const S* keep = input.draws.keepExpert.empty() ? nullptr : input.draws.keepExpert.as<S>();
  routing.logSumExp.resize(static_cast<std::size_t>(routing.tokens));
  double total = 0;
  for (std::int64_t t = 0; t < routing.tokens; ++t) {
    const S* z = routing.logits.as<S>() + t * routing.experts;
    S largest = -std::numeric_limits<S>::infinity();
    for (std::int64_t e = 0; e < routing.experts; ++e)
      if (!keep || keep[e] != 0) largest = std::max(largest, z[e]);
    double sum = 0;
    for (std::int64_t e = 0; e < routing.experts; ++e)
      if (!keep || keep[e] != 0) sum += static_cast<double>(std::exp(z[e] - largest));
    const double value = static_cast<double>(largest) + std::log(sum);
    routing.logSumExp[static_cast<std::size_t>(t)] = value;
    total += value * value;
  }
  return total / static_cast<double>(routing.tokens);
}

template <class S>
void sumWeights(BalanceStatistics& out, const Routing& routing) {
  const S* w = routing.askedWeight.as<S>();
  for (std::size_t i = 0; i < routing.asked.size(); ++i)
    if (routing.asked[i] >= 0) out.mean[static_cast<std::size_t>(routing.asked[i])] += static_cast<double>(w[i]);
}

}  // namespace

template <class S>
void balanceForward(Routing& routing, const Recipe& recipe, const RoutingInput& input) {
  const auto experts = static_cast<std::size_t>(routing.experts);
  routing.balance.resize(recipe.balance.size());
  routing.balanceStatistics.resize(recipe.balance.size());
  const bool router = !routing.scores.empty();
  routing.logSumExp.clear();
  if (router && std::any_of(recipe.balance.begin(), recipe.balance.end(),
                            [&](const Term& term) { return readsUnadjusted(term, recipe); }))
    selectUnadjusted<S>(routing, recipe.select.k);
  else
    routing.unadjusted.clear();
  for (std::size_t i = 0; i < recipe.balance.size(); ++i) {
    const Term& term = recipe.balance[i];
    BalanceStatistics& sums = routing.balanceStatistics[i];
    sums.groups = groupsOf(term, recipe, input);
    const bool scalar = term.kind == Term::Kind::z || term.kind == Term::Kind::entropy;
    const std::size_t size = scalar ? 1 : experts * static_cast<std::size_t>(sums.groups);
    sums.count.assign(size, 0);
    sums.mean.assign(size, 0);
    sums.slope.assign(size, 0);
    if (!router) continue;
    switch (term.kind) {
      case Term::Kind::load:
      case Term::Kind::device:
        countAssignments(sums, routing, term, readsUnadjusted(term, recipe));
        averageScores<S>(sums, routing, recipe.score);
        break;
      case Term::Kind::communication:
        countTokensSent(sums, routing, term.devices);
        averageScores<S>(sums, routing, recipe.score);
        break;
      case Term::Kind::z: sums.mean[0] = meanSquaredLogSumExp<S>(routing, input); break;
      case Term::Kind::entropy: sums.mean[0] = meanEntropy<S>(routing, recipe.score); break;
      case Term::Kind::importanceCv2: sumWeights<S>(sums, routing); break;
      case Term::Kind::loadCv2: smoothLoad<S>(sums.mean, routing, recipe, input); break;
    }
  }
  Routing* const alone[] = {&routing};
  finishBalance(alone, recipe);
}

template void balanceForward<float>(Routing&, const Recipe&, const RoutingInput&);
template void balanceForward<double>(Routing&, const Recipe&, const RoutingInput&);

namespace {

bool countsLoad(const BalanceTerm& term) {
  return term.kind == BalanceTerm::Kind::load || term.kind == BalanceTerm::Kind::device ||
         term.kind == BalanceTerm::Kind::communication;
}

}  // namespace

const SettingTable<BalanceTerm>& balanceRows() {
  using namespace rows;
  static const SettingTable<BalanceTerm> table = SettingTable<BalanceTerm>{
      "balance",
      "Balance",
      "Terms added to the loss that keep the experts evenly used, any number at once; coefficient 0 only measures.",
      {value<&BalanceTerm::name>({.path = "name"}).alwaysWritten(),
       choice<&BalanceTerm::kind>(
           {.path = "kind", .label = "Term", .tooltip = "What the term measures."},
           Choices<BalanceTerm::Kind>{
               {BalanceTerm::Kind::load,
                {"load", "Load", "E/n Σ f P",
                 "Penalises experts that get many tokens and high scores; 1 at perfect balance."}},
               {BalanceTerm::Kind::device,
                {"device", "Device", "Σ f′ P′ over blocks", "The same over equal blocks of experts, as on devices."}},
               {BalanceTerm::Kind::communication,
                {"communication", "Communication", "(D/M) Σ g P′", "Penalises sending many tokens to the same block."}},
               {BalanceTerm::Kind::z,
                {"z", "z-loss", "mean (log Σ exp z)²", "Keeps the logits small, which keeps training stable."}},
               {BalanceTerm::Kind::entropy,
                {"entropy", "Entropy", "mean −Σ P log P", "Makes the router surer of its choice for each token."}},
               {BalanceTerm::Kind::importanceCv2,
                {"importance_cv2", "Importance", "CV² of Σ w", "Penalises uneven sums of weights over experts."}},
               {BalanceTerm::Kind::loadCv2,
                {"load_cv2", "Smooth load", "CV² of Σ Φ((z − h)/σ)",
                 "Penalises uneven loads, made differentiable by the noise."}}})
           .requires_("the kind of the term (load, z ...)"),
       value<&BalanceTerm::coefficient>({.path = "coefficient",
                                         .label = "Coefficient",
                                         .maximum = 1000,
                                         .step = 0.001,
                                         .formula = "loss += coefficient · value",
                                         .tooltip = "How strongly the term counts in the loss; 0 only measures it.",
                                         .changesLive = true}),
       choice<&BalanceTerm::normalisation>(
           {.path = "normalisation", .label = "Scale", .tooltip = "What a load term is at perfect balance."},
           Choices<BalanceTerm::Normalisation>{
               {BalanceTerm::Normalisation::unit,
                {"unit", "1 at balance", "E/n Σ f P", "Perfect balance is 1, whatever k is."}},
               {BalanceTerm::Normalisation::perToken,
                {"per_token", "n at balance", "E Σ f P", "Perfect balance is the number of experts a token."}},
               {BalanceTerm::Normalisation::mean,
                {"mean", "n/E² at balance", "1/E Σ f P", "A mean over experts: far smaller than the others."}}})
           .when([](const BalanceTerm& term) { return countsLoad(term); }),
       choice<&BalanceTerm::counts>(
           {.path = "counts", .label = "Count", .tooltip = "Which choices a load term counts."},
           Choices<BalanceTerm::Counts>{
               {BalanceTerm::Counts::all,
                {"all", "All choices", "f over all slots", "Every choice of a token counts."}},
               {BalanceTerm::Counts::first,
                {"first", "First choices", "f over slot 0", "Only a token's first choice counts."}}})
           .when([](const BalanceTerm& term) { return countsLoad(term); }),
       choice<&BalanceTerm::countsFrom>(
           {.path = "counts_from", .label = "Count what", .tooltip = "Where a load term's counts come from."},
           Choices<BalanceTerm::CountsFrom>{
               {BalanceTerm::CountsFrom::selected,
                {"selected", "What was selected", "c = asked assignments", "Counts the selection as it is."}},
               {BalanceTerm::CountsFrom::unadjusted,
                {"unadjusted", "What scores alone would select", "top k of s",
                 "Counts what the scores alone would choose, without bias, groups or edits."}}})
           .when([](const BalanceTerm& term) { return countsLoad(term); }),
       choice<&BalanceTerm::scope>(
           {.path = "scope", .label = "Scope", .tooltip = "Over which tokens a load term is balanced."},
           Choices<BalanceTerm::Scope>{
               {BalanceTerm::Scope::microBatch,
                {"micro_batch", "Micro-batch", "f, P over the micro-batch", "Each micro-batch must be balanced."}},
               {BalanceTerm::Scope::globalBatch,
                {"global_batch", "Whole step", "f, P over the step", "Only the whole step must be balanced."}},
               {BalanceTerm::Scope::sequence,
                {"sequence", "Sequence", "mean over sequences", "Each sequence must be balanced: the strictest."}},
               {BalanceTerm::Scope::tokenGroup,
                {"token_group", "Token group", "mean over groups", "Each capacity group must be balanced."}}})
           .when([](const BalanceTerm& term) { return countsLoad(term); }),
       choice<&BalanceTerm::layers>(
           {.path = "layers", .label = "Layers", .tooltip = "How a load term joins the layers."},
           Choices<BalanceTerm::Layers>{
               {BalanceTerm::Layers::separate,
                {"separate", "Each for itself", "Σ over layers", "Every layer has its own term."}},
               {BalanceTerm::Layers::mean,
                {"mean", "Mean of layers", "mean over layers", "One term: the average of the layers' values."}},
               {BalanceTerm::Layers::concatenated,
                {"concatenated", "All together", "f, P over all layers",
                 "One term over the tokens of all layers, in which imbalances of different layers may cancel."}}})
           .when([](const BalanceTerm& term) { return countsLoad(term); }),
       value<&BalanceTerm::devices>({.path = "devices",
                                     .label = "Blocks",
                                     .minimum = 1,
                                     .maximum = 65536,
                                     .step = 1,
                                     .unit = "blocks",
                                     .formula = "E / devices experts a block",
                                     .tooltip = "Equal contiguous blocks of experts."})
           .when([](const BalanceTerm& term) {
             return term.kind == BalanceTerm::Kind::device || term.kind == BalanceTerm::Kind::communication;
           }),
       value<&BalanceTerm::maxDevices>({.path = "max_devices",
                                        .label = "Blocks a token",
                                        .minimum = 1,
                                        .maximum = 65536,
                                        .step = 1,
                                        .unit = "blocks",
                                        .formula = "M",
                                        .tooltip = "On how many blocks a token is meant to run at most."})
           .when([](const BalanceTerm& term) { return term.kind == BalanceTerm::Kind::communication; }),
       value<&BalanceTerm::epsilon>({.path = "epsilon",
                                     .label = "ε",
                                     .step = 1e-6,
                                     .formula = "variance / (mean² + ε)",
                                     .tooltip = "Keeps the squared variation finite."})
           .when([](const BalanceTerm& term) {
             return term.kind == BalanceTerm::Kind::importanceCv2 || term.kind == BalanceTerm::Kind::loadCv2;
           })},
      {}}.withDefaultsOf();
  return table;
}

SettingList<Recipe> balanceList() {
  static const SettingRows<BalanceTerm> terms({balanceRows()});
  return rows::list<&Recipe::balance>("balance", terms, [](BalanceTerm& term, const nlohmann::json& json) {
    if (!json.contains("name")) term.name = json["kind"];
  });
}

}  // namespace moe
