#include "core/router/routing_summary.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/router/pipeline.h"
#include "core/telemetry/health.h"
#include "core/telemetry/router_health.h"
#include "core/tensor/scalar.h"

namespace moe {
namespace {

/// Raw logits (T, E) as probabilities but for a factor a row, which the sums divide out.
template <class S>
std::vector<double> expOfRows(std::span<const S> logits, std::int64_t experts) {
  std::vector<double> out(logits.begin(), logits.end());
  for (std::size_t begin = 0; begin < out.size(); begin += static_cast<std::size_t>(experts)) {
    const auto row = std::span(out).subspan(begin, static_cast<std::size_t>(experts));
    const double largest = std::ranges::max(row);
    for (double& value : row) value = std::exp(value - largest);
  }
  return out;
}

template <class S>
void summariseRouter(const RoutingSummary& out, const Routing& routing, const Recipe& recipe) {
  RouterSums router;
  MarginSums margins;
  const std::span<const S> scores = routing.scores.span<S>();
  if (recipe.score != Recipe::Score::identity)
    addScores<S>(router, scores, routing.experts);
  else
    addScores<double>(router, expOfRows(scores, routing.experts), routing.experts);
  addMargins<S>(margins, routing.ranking.span<S>(), routing.experts, routing.asked, routing.slots);
  out.entropy() = router.entropy;
  std::ranges::copy(router.importance, out.importance().begin());
  out.margin() = margins.margin;
  out.marginTokens() = static_cast<double>(margins.tokens);
}

/// The selection that the same logits give without the selection bias.
void selectUnbiased(Routing& room, const Routing& routing, const Recipe& recipe) {
  Recipe plain;
  plain.experts = recipe.experts;
  plain.score = recipe.score;
  plain.adjust = recipe.adjust;
  plain.adjust.selectionBias.reset();
  plain.select.kind = recipe.select.kind;
  plain.select.k = recipe.select.k;
  plain.weigh.kind = Recipe::Weigh::Kind::score;
  RoutingInput input;
  input.givenLogits = routing.noisyLogits.empty() ? routing.logits.view() : routing.noisyLogits.view();
  routeForward(room, plain, input);
}

}  // namespace

void summarise(const RoutingSummary& out, const Routing& routing, const Recipe& recipe, bool measuring,
               Routing& unbiasedRoom) {
  assert(static_cast<std::int64_t>(out.row.size()) == RoutingSummary::size(out.experts, recipe.balance.size()));
  std::ranges::fill(out.row, 0.0);
  const Dispatch& dispatch = routing.dispatch;
  out.dropped() = static_cast<double>(routing.dropped);
  std::ranges::copy(routing.load, out.counts().begin());
  for (std::size_t e = 0; e < dispatch.admittedEnd.size(); ++e)
    out.admitted()[e] = dispatch.admittedEnd[e] - dispatch.expertBegin[e];
  if (recipe.select.kind == Recipe::Select::Kind::all)
    withScalar(routing.askedWeight.dtype(), [&]<class S>() {
      // (T, E): with every expert asked, a slot is an expert.
      for (std::int64_t i = 0; i < routing.askedWeight.elements(); ++i)
        out.weights()[static_cast<std::size_t>(i % out.experts)] += static_cast<double>(routing.askedWeight.as<S>()[i]);
    });
  if (!measuring) return;
  if (!routing.scores.empty())  // else the recipe has no router
    withScalar(routing.dtype, [&]<class S>() { summariseRouter<S>(out, routing, recipe); });
  out.droppedTokens() = static_cast<double>(tokensWithout(routing.final, routing.slots));
  for (std::size_t i = 0; i < routing.balance.size(); ++i) out.balance()[i] = routing.balance[i].value;
  if (!recipe.adjust.selectionBias) return;
  selectUnbiased(unbiasedRoom, routing, recipe);
  out.jaccard() = jaccardSum(routing.asked, routing.slots, unbiasedRoom.asked, routing.slots);
}

}  // namespace moe
