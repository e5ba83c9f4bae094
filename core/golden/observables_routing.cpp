// Observables from the logits to the weights before capacity.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/backend/backend.h"
#include "core/base/index.h"
#include "core/golden/observables.h"
#include "core/router/select.h"
#include "core/tensor/scalar.h"

namespace moe {

namespace {

using Result = std::optional<Observed>;

/// A (T, columns) tensor of the routing, where this recipe makes one.
template <class Member>
Observe table(Member member) {
  return [member](GoldenRun& run) -> Result {
    const Routing& routing = run.routing();
    const Tensor& tensor = routing.*member;
    if (tensor.empty()) return std::nullopt;
    return observed(run, tensor, {routing.tokens, tensor.shape()[1]});
  };
}

Result scoreSum(GoldenRun& run) {
  const Routing& routing = run.routing();
  if (routing.scores.empty()) return std::nullopt;
  const std::vector<double> scores = run.numbers(routing.scores);
  std::vector<double> sums(at(routing.tokens), 0.0);
  for (std::int64_t i = 0; i < routing.tokens * routing.slots; ++i)
    if (routing.asked[at(i)] >= 0)
      sums[at(i / routing.slots)] += scores[at(i / routing.slots * routing.experts + routing.asked[at(i)])];
  return observed({routing.tokens}, sums);
}

Result rawTopK(GoldenRun& run) {
  Routing& routing = run.routing();
  if (routing.scores.empty() || run.recipe().select.kind != Recipe::Select::Kind::topK) return std::nullopt;
  withScalar(routing.dtype, [&]<class S>() { selectUnadjusted<S>(routing, run.recipe().select.k); });
  return observedIntegers({routing.tokens, routing.slots}, routing.unadjusted);
}

Result greedy(GoldenRun& run) {
  const bool planned = run.recipe().adjust.rankBy == Recipe::Adjust::RankBy::sinkhorn;
  if (run.recipe().select.kind != Recipe::Select::Kind::assignment && !planned) return std::nullopt;
  Routing routing;
  RoutingInput input = run.routerInput();
  input.phase = Phase::generation;
  run.backend().route(routing, run.recipe(), input);
  run.backend().read(routing);
  return observedIntegers({routing.tokens, routing.slots}, routing.asked);
}

Result sinkhornScale(GoldenRun& run) {
  const TransportPlan& transport = run.routing().transport;
  if (transport.scale.empty()) return std::nullopt;
  return observed({run.routing().experts}, transport.scale);
}

Result sinkhornIterations(GoldenRun& run) {
  const TransportPlan& transport = run.routing().transport;
  if (transport.scale.empty()) return std::nullopt;
  return observedInteger(transport.iterations);
}

Result sinkhornPlan(GoldenRun& run) {
  const TransportPlan& transport = run.routing().transport;
  if (transport.plan.empty()) return std::nullopt;
  return observed({run.routing().tokens, run.routing().experts}, transport.plan);
}

Result totalScore(GoldenRun& run) {
  const Routing& routing = run.routing();
  if (routing.ranking.empty()) return std::nullopt;
  const std::vector<double> ranking = run.numbers(routing.ranking);
  double sum = 0;
  for (std::int64_t i = 0; i < routing.tokens * routing.slots; ++i)
    if (routing.asked[at(i)] >= 0) sum += ranking[at(i / routing.slots * routing.experts + routing.asked[at(i)])];
  return observedNumber(sum);
}

std::vector<std::int64_t> selectedPerToken(const Routing& routing) {
  std::vector<std::int64_t> counts(at(routing.tokens), 0);
  for (std::int64_t i = 0; i < routing.tokens * routing.slots; ++i)
    counts[at(i / routing.slots)] += routing.asked[at(i)] >= 0;
  return counts;
}

Result meanSelected(GoldenRun& run) {
  const auto counts = selectedPerToken(run.routing());
  const std::int64_t sum = std::accumulate(counts.begin(), counts.end(), std::int64_t{0});
  return observedNumber(static_cast<double>(sum) / static_cast<double>(counts.size()));
}

Result wantSecond(GoldenRun& run) {
  const Routing& routing = run.routing();
  if (!run.recipe().select.randomSecond) return std::nullopt;
  std::vector<std::int32_t> wants;
  for (std::int64_t t = 0; t < routing.tokens; ++t) wants.push_back(routing.wantsSlot[at(2 * t + 1)]);
  return observedIntegers({routing.tokens}, wants);
}

Result importance(GoldenRun& run) {
  const Routing& routing = run.routing();
  const std::vector<double> weights = run.numbers(routing.askedWeight);
  std::vector<double> sums(at(routing.experts), 0.0);
  for (std::size_t i = 0; i < weights.size(); ++i)
    if (routing.asked[i] >= 0) sums[at(routing.asked[i])] += weights[i];
  return observed({routing.experts}, sums);
}

/// Index of the first balance term that `wanted` accepts.
template <class Wanted>
std::optional<std::size_t> termWhere(const Recipe& recipe, Wanted wanted) {
  const auto found = std::find_if(recipe.balance.begin(), recipe.balance.end(), wanted);
  if (found == recipe.balance.end()) return std::nullopt;
  return static_cast<std::size_t>(found - recipe.balance.begin());
}

Result smoothLoad(GoldenRun& run) {
  const Routing& routing = run.routing();
  const auto term = termWhere(
      run.recipe(), [](const Recipe::BalanceTerm& t) { return t.kind == Recipe::BalanceTerm::Kind::loadCv2; });
  if (!term) return std::nullopt;
  return observed({routing.experts}, routing.balanceStatistics[*term].mean);
}

const BalanceStatistics* unitTerm(GoldenRun& run) {
  using Term = Recipe::BalanceTerm;
  const auto term = termWhere(run.recipe(), [](const Term& t) {
    return t.kind == Term::Kind::load && t.normalisation == Term::Normalisation::unit &&
           t.scope == Term::Scope::microBatch;
  });
  return term ? &run.routing().balanceStatistics[*term] : nullptr;
}

Result loadShare(GoldenRun& run) {
  const BalanceStatistics* term = unitTerm(run);
  if (!term) return std::nullopt;
  const double total = std::accumulate(term->count.begin(), term->count.end(), 0.0);
  std::vector<double> f;
  for (const double count : term->count) f.push_back(static_cast<double>(term->count.size()) * count / total);
  return observed({static_cast<std::int64_t>(f.size())}, f);
}

Result meanScore(GoldenRun& run) {
  const BalanceStatistics* term = unitTerm(run);
  if (!term) return std::nullopt;
  return observed({static_cast<std::int64_t>(term->mean.size())}, term->mean);
}

Result groupIndex(GoldenRun& run) {
  const Routing& routing = run.routing();
  if (!run.recipe().adjust.expertGroups) return std::nullopt;
  return observedIntegers({routing.tokens, run.recipe().adjust.expertGroups->keep}, routing.groupIndex);
}

}  // namespace

const ObservableTable& routingObservables() {
  static const ObservableTable observables{
      {"logits", table(&Routing::logits)},
      {"noise_std", table(&Routing::noiseDeviation)},
      {"noisy_logits", table(&Routing::noisyLogits)},
      {"scores", table(&Routing::scores)},
      {"sinkhorn_scale", sinkhornScale},
      {"sinkhorn_iterations", sinkhornIterations},
      {"sinkhorn_plan", sinkhornPlan},
      {"group_scores", table(&Routing::groupScores)},
      {"group_index", groupIndex},
      {"topk_index",
       [](GoldenRun& run) -> Result {
         const Routing& routing = run.routing();
         return observedIntegers({routing.tokens, routing.slots}, routing.asked);
       }},
      {"topk_weight", table(&Routing::askedWeight)},
      {"topk_score_sum", scoreSum},
      {"raw_topk_index", rawTopK},
      {"greedy_index", greedy},
      {"total_score", totalScore},
      {"n_experts",
       [](GoldenRun& run) -> Result {
         return observedIntegers({run.routing().tokens}, selectedPerToken(run.routing()));
       }},
      {"mean_experts", meanSelected},
      {"want_second", wantSecond},
      {"importance", importance},
      {"load_smooth", smoothLoad},
      {"f", loadShare},
      {"P", meanScore},
  };
  return observables;
}

}  // namespace moe
