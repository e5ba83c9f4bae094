// Observables by optimiser step.
#include "core/backend/backend.h"
#include "core/golden/observables.h"
#include "core/router/bias_update.h"
#include "core/router/schedule.h"
#include "core/router/select.h"
#include "core/telemetry/health.h"

namespace moe {

namespace {

using Result = std::optional<Observed>;

Result noiseScales(GoldenRun& run) {
  const GoldenTensor *steps = run.file().find("run.step"), *total = run.file().find("run.total_steps");
  if (!steps || !total) return std::nullopt;
  std::vector<double> out;
  for (const double step : steps->data)
    out.push_back(
        noiseScale(run.recipe().perturb, static_cast<std::int64_t>(step), static_cast<std::int64_t>(total->data[0])));
  return observed(steps->shape, out);
}

Result forceSteps(GoldenRun& run) {
  const GoldenTensor* steps = run.file().find("select.force.check_step");
  if (!steps || !run.recipe().select.force) return std::nullopt;
  std::vector<std::int32_t> out;
  for (const double step : steps->data) out.push_back(forceActive(run.recipe(), static_cast<std::int64_t>(step)));
  return observedIntegers(steps->shape, out);
}

/// Whether each token's slot is replaced.
std::optional<std::vector<std::int32_t>> forcedMask(GoldenRun& run) {
  const GoldenTensor* draws = run.file().find("select.force.token_draw");
  if (!draws || !run.recipe().select.force) return std::nullopt;
  std::vector<std::int32_t> out;
  for (const double u : draws->data) out.push_back(isForced(*run.recipe().select.force, u));
  return out;
}

Result forced(GoldenRun& run) {
  const auto mask = forcedMask(run);
  if (!mask) return std::nullopt;
  return observedIntegers({static_cast<std::int64_t>(mask->size())}, *mask);
}

Result forcedFraction(GoldenRun& run) {
  const auto mask = forcedMask(run);
  if (!mask) return std::nullopt;
  double sum = 0;
  for (const std::int32_t one : *mask) sum += one;
  return observedNumber(sum / static_cast<double>(mask->size()));
}

Result forcedTarget(GoldenRun& run) {
  const GoldenTensor* draws = run.file().find("select.force.expert_draw");
  if (!draws || !run.recipe().select.force) return std::nullopt;
  std::vector<std::int32_t> out;
  for (const double v : draws->data) out.push_back(forcedExpert(*run.recipe().select.force, v));
  return observedIntegers(draws->shape, out);
}

Result beforeForce(GoldenRun& run) {
  const Routing& routing = run.routing();
  return observedIntegers({routing.tokens, routing.slots},
                          routing.beforeForce.empty() ? routing.asked : routing.beforeForce);
}

/// N rounds of select and bias update on the file's inputs.
struct BiasTrace {
  std::int64_t steps = 0, experts = 0;
  std::vector<double> bias;          // (N, E) after each step
  std::vector<std::int64_t> counts;  // (N, E)
  std::vector<double> maxVio;        // (N)
};

std::optional<BiasTrace> traceBias(GoldenRun& run) {
  constexpr double kMostSteps = 100'000;
  const GoldenTensor *start = run.file().find("adjust.selection_bias.value"),
                     *total = run.file().find("run.total_steps");
  if (!start || !total || !run.recipe().adjust.selectionBias || total->data[0] > kMostSteps) return std::nullopt;
  BiasTrace trace;
  trace.steps = static_cast<std::int64_t>(total->data[0]);
  trace.experts = run.recipe().experts.count;
  std::vector<double> bias = start->data;
  Routing routing;
  RoutingInput input = run.routerInput();
  for (std::int64_t step = 0; step < trace.steps; ++step) {
    input.selectionBias = BiasView(bias);
    input.step = step;
    run.backend().route(routing, run.recipe(), input);
    run.backend().read(routing);
    updateSelectionBias(std::span<double>(bias), routing.load, *run.recipe().adjust.selectionBias);
    trace.bias.insert(trace.bias.end(), bias.begin(), bias.end());
    trace.counts.insert(trace.counts.end(), routing.load.begin(), routing.load.end());
    trace.maxVio.push_back(loadHealth(routing.load).maxVio);
  }
  return trace;
}

template <class Make>
Observe fromTrace(Make make) {
  return [make](GoldenRun& run) -> Result {
    const auto trace = traceBias(run);
    if (!trace) return std::nullopt;
    return make(*trace);
  };
}

}  // namespace

const ObservableTable& scheduleObservables() {
  static const ObservableTable observables{
      {"noise_scale", noiseScales},
      {"force_active", forceSteps},
      {"forced_mask", forced},
      {"forced_fraction", forcedFraction},
      {"forced_target", forcedTarget},
      {"index_before_force", beforeForce},
      {"bias_after_step", fromTrace([](const BiasTrace& t) {
         return observed({t.steps, t.experts}, t.bias);
       })},
      {"load_count_at_step", fromTrace([](const BiasTrace& t) {
         return observedIntegers({t.steps, t.experts}, t.counts);
       })},
      {"max_vio_at_step", fromTrace([](const BiasTrace& t) { return observed({t.steps}, t.maxVio); })},
  };
  return observables;
}

}  // namespace moe
