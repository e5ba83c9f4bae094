// Health of a given routing: select.index is measured, not computed.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/backend/backend.h"
#include "core/golden/observables.h"
#include "core/router/capacity.h"
#include "core/router/weigh.h"
#include "core/telemetry/health.h"
#include "core/telemetry/router_health.h"
#include "core/tensor/scalar.h"

namespace moe {

namespace {

using Result = std::optional<Observed>;

std::vector<std::int32_t> table(GoldenRun& run) { return run.integers("select.index"); }
std::int64_t slots(GoldenRun& run) { return run.sizes()['k']; }
std::int64_t experts(GoldenRun& run) { return run.sizes()['E']; }
std::vector<std::int64_t> counts(GoldenRun& run) { return countSelections(table(run), experts(run)); }

Observe fromLoad(double LoadHealth::*member) {
  return [member](GoldenRun& run) -> Result { return observedNumber(loadHealth(counts(run)).*member); };
}

Observe perExpert(std::vector<double> (*compute)(std::span<const std::int64_t>)) {
  return [compute](GoldenRun& run) -> Result { return observed({experts(run)}, compute(counts(run))); };
}

/// The given selection sent through the recipe's capacity.
struct Admission {
  Routing routing;
  std::int64_t asked = 0;
};
std::optional<Admission> admitGiven(GoldenRun& run) {
  const bool hasLogits =
      !run.tensor("logits").empty() || (!run.tensor("x").empty() && !run.tensor("logits.weight").empty());
  // Served in turn, the assignments need no scores; any will do.
  const Recipe::Capacity& rule = run.recipe().capacity;
  const bool inTurn = rule.overflow == Recipe::Capacity::Overflow::drop &&
                      (rule.order == Recipe::Capacity::Order::slot || rule.order == Recipe::Capacity::Order::token);
  if (!hasLogits && !inTurn) return std::nullopt;
  Admission out;
  Routing& routing = out.routing;
  RoutingInput input = run.routerInput();
  Tensor any;
  if (!hasLogits) {
    any = run.backend().allocate({run.sizes()['T'], run.sizes()['E']}, run.dtype());
    run.backend().fill(any, 0);
    input.givenLogits = any;
    input.x = {};
  }
  Recipe plain = run.recipe();
  plain.select.randomSecond.reset();
  plain.select.force.reset();
  plain.balance.clear();
  run.backend().route(routing, plain, input);
  run.backend().read(routing);
  routing.asked = table(run);
  routing.wantsSlot.assign(routing.asked.size(), 1);
  routing.position.assign(routing.asked.size(), -1);
  withScalar(routing.dtype, [&]<class S>() {
    weigh(routing.askedWeight.as<S>(),
          WeighInput<S>{routing.asked, routing.scores.as<S>(), routing.weighedLogits(plain).template as<S>(),
                        routing.tokens, routing.slots, routing.experts},
          plain.weigh);
    admit<S>(routing, plain, input);
  });
  out.asked = std::count_if(routing.asked.begin(), routing.asked.end(), [](std::int32_t e) { return e >= 0; });
  return out;
}

Observe fromDrops(double DropHealth::*member) {
  return [member](GoldenRun& run) -> Result {
    const auto admission = admitGiven(run);
    if (!admission) return std::nullopt;
    const Routing& routing = admission->routing;
    return observedNumber(dropHealth(routing.final, routing.slots, admission->asked, routing.dropped).*member);
  };
}

Result kept(GoldenRun& run) {
  const auto admission = admitGiven(run);
  if (!admission) return std::nullopt;
  return observedIntegers({experts(run)}, countSelections(admission->routing.final, experts(run)));
}

/// Probabilities (T, E): the scores; where those are raw logits, their softmax.
std::optional<std::vector<double>> probabilities(GoldenRun& run) {
  Recipe recipe = run.recipe();
  if (recipe.score == Recipe::Score::identity) recipe.score = Recipe::Score::softmax;
  if (run.tensor("logits").empty() && (run.tensor("x").empty() || run.tensor("logits.weight").empty()))
    return std::nullopt;
  recipe.select = {};
  recipe.select.kind = Recipe::Select::Kind::all;
  recipe.weigh = {};
  recipe.weigh.kind = Recipe::Weigh::Kind::score;
  recipe.capacity = {};
  recipe.adjust = {};
  recipe.balance.clear();
  Routing routing;
  run.backend().route(routing, recipe, run.routerInput());
  run.backend().read(routing);
  return run.numbers(routing.scores);
}

Observe fromRouter(double (*pick)(const RouterHealth&, double logExperts)) {
  return [pick](GoldenRun& run) -> Result {
    const auto p = probabilities(run);
    if (!p) return std::nullopt;
    return observedNumber(pick(routerHealth<double>(*p, experts(run)), std::log(static_cast<double>(experts(run)))));
  };
}

Observe againstReference(double (*compare)(std::span<const std::int32_t>, std::span<const std::int32_t>,
                                           std::int64_t)) {
  return [compare](GoldenRun& run) -> Result {
    const std::vector<std::int32_t> reference = run.integers("metrics.reference_index");
    if (reference.empty()) return std::nullopt;
    return observedNumber(compare(table(run), reference, slots(run)));
  };
}

Result batchVio(GoldenRun& run, bool mean) {
  const std::vector<std::int32_t> batch = run.integers("metrics.batch_index");
  if (batch.empty()) return std::nullopt;
  const std::int64_t batches = *std::max_element(batch.begin(), batch.end()) + 1;
  const std::vector<double> vio = maxVioByGroup(table(run), slots(run), experts(run), batch, batches);
  if (!mean) return observed({batches}, vio);
  return observedNumber(std::accumulate(vio.begin(), vio.end(), 0.0) / static_cast<double>(batches));
}

/// Rows of a table by token id: the file's vocabulary, or as many ids as occur.
std::int64_t groupsOf(GoldenRun& run, const char* role, std::int64_t stated) {
  if (stated > 0) return stated;
  std::int32_t largest = 0;
  const bool ids = std::string_view(role) != "batch.domain_ids";
  for (const char* each : {role, ids ? "batch.token_ids" : role, ids ? "metrics.predicted_ids" : role})
    for (const std::int32_t id : run.integers(each)) largest = std::max(largest, id);
  return largest + 1;
}

Observe specialisationBy(const char* role) {
  return [role](GoldenRun& run) -> Result {
    const std::vector<std::int32_t> groupOf = run.integers(role);
    if (groupOf.empty()) return std::nullopt;
    const bool domains = std::string_view(role) == "batch.domain_ids";
    const std::int64_t groups = groupsOf(run, role, domains ? run.file().domains : run.file().vocabulary);
    return observed({groups, experts(run)}, specialisation(table(run), slots(run), experts(run), groupOf, groups));
  };
}

Observe firstChoiceShare(const char* role) {
  return [role](GoldenRun& run) -> Result {
    const std::vector<std::int32_t> groupOf = run.integers(role);
    if (groupOf.empty()) return std::nullopt;
    return observedNumber(meanLargestShare(firstChoices(table(run), slots(run)), groupOf));
  };
}

Result pairs(GoldenRun& run) {
  return observedIntegers({experts(run), experts(run)}, coactivation(table(run), slots(run), experts(run)));
}

Result pairsGivenRow(GoldenRun& run) {
  return observed({experts(run), experts(run)},
                  coactivationGivenRow(coactivation(table(run), slots(run), experts(run)), counts(run)));
}

Result zLossOfLogits(GoldenRun& run) {
  if (run.tensor("logits").empty()) return std::nullopt;
  return observedNumber(zLoss<double>(run.numbers(run.tensor("logits")), experts(run)));
}

Result slotsOfCapacity(GoldenRun& run) {
  if (run.recipe().capacity.dropless()) return std::nullopt;
  return observedInteger(
      slotsOfExpert(run.recipe(), run.sizes()['T'] / run.recipe().capacity.tokenGroups, Phase::training));
}

}  // namespace

const ObservableTable& metricObservables() {
  static const ObservableTable observables{
      {"load_count", [](GoldenRun& run) -> Result { return observedIntegers({experts(run)}, counts(run)); }},
      {"load_fraction", perExpert(loadFraction)},
      {"utilization", perExpert(utilization)},
      {"max_vio", fromLoad(&LoadHealth::maxVio)},
      {"max_vio_global", fromLoad(&LoadHealth::maxVio)},
      {"max_vio_per_batch", [](GoldenRun& run) { return batchVio(run, false); }},
      {"max_vio_batch_mean", [](GoldenRun& run) { return batchVio(run, true); }},
      {"avg_vio", fromLoad(&LoadHealth::avgVio)},
      {"min_over_mean", fromLoad(&LoadHealth::minOverMean)},
      {"cv2_load", fromLoad(&LoadHealth::cv2)},
      {"dead_experts", [](GoldenRun& run) -> Result { return observedInteger(loadHealth(counts(run)).unused); }},
      {"load_entropy_normalised", fromLoad(&LoadHealth::entropy)},
      {"coactivation_count", pairs},
      {"coactivation_given_row", pairsGivenRow},
      {"drop_rate", fromDrops(&DropHealth::dropRate)},
      {"token_drop_rate", fromDrops(&DropHealth::tokenDropRate)},
      {"kept_count", kept},
      {"router_entropy_mean", fromRouter([](const RouterHealth& h, double) { return h.entropy; })},
      {"router_entropy_normalised", fromRouter([](const RouterHealth& h, double logE) { return h.entropy / logE; })},
      {"mean_prob_entropy", fromRouter([](const RouterHealth& h, double) { return h.meanProbEntropy; })},
      {"mutual_information", fromRouter([](const RouterHealth& h, double) { return h.mutualInformation; })},
      {"importance_cv2", fromRouter([](const RouterHealth& h, double) { return h.importanceCv2; })},
      {"router_saturation", againstReference(saturation)},
      {"router_saturation_top1", againstReference(firstChoiceSaturation)},
      {"domain_specialization", specialisationBy("batch.domain_ids")},
      {"vocab_specialization_input", specialisationBy("batch.token_ids")},
      {"vocab_specialization_output", specialisationBy("metrics.predicted_ids")},
      {"vocab_specialization_input_top1_avgmax", firstChoiceShare("batch.token_ids")},
      {"vocab_specialization_output_top1_avgmax", firstChoiceShare("metrics.predicted_ids")},
      {"z_loss", zLossOfLogits},
      {"capacity_slots", slotsOfCapacity},
  };
  return observables;
}

}  // namespace moe
