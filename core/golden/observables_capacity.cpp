// Observables of admission, expert choice and loads.
#include <numeric>

#include "core/base/index.h"
#include "core/golden/observables.h"
#include "core/router/bias_update.h"

namespace moe {

namespace {

using Result = std::optional<Observed>;

Result keep(GoldenRun& run) {
  const Routing& routing = run.routing();
  std::vector<std::int32_t> kept;
  for (const std::int32_t expert : routing.final) kept.push_back(expert >= 0);
  return observedIntegers({routing.tokens, routing.slots}, kept);
}

Result position(GoldenRun& run) {
  const Routing& routing = run.routing();
  if (run.recipe().capacity.overflow != Recipe::Capacity::Overflow::drop) return std::nullopt;
  return observedIntegers({routing.tokens, routing.slots}, routing.position);
}

Result combine(GoldenRun& run) {
  const Routing& routing = run.routing();
  const std::vector<double> weights = run.numbers(routing.finalWeight);
  std::vector<double> out(at(routing.tokens * routing.experts), 0.0);
  for (std::int64_t i = 0; i < routing.tokens * routing.slots; ++i)
    if (routing.final[at(i)] >= 0)
      out[at(i / routing.slots * routing.experts + routing.final[at(i)])] += weights[at(i)];
  return observed({routing.tokens, routing.experts}, out);
}

Result biasNext(GoldenRun& run) {
  const GoldenTensor* bias = run.file().find("adjust.selection_bias.value");
  if (!bias || !run.recipe().adjust.selectionBias) return std::nullopt;
  std::vector<double> next = bias->data;
  updateSelectionBias(std::span<double>(next), run.routing().load, *run.recipe().adjust.selectionBias);
  return observed({run.routing().experts}, next);
}

bool choosesTokens(GoldenRun& run) { return run.recipe().select.kind == Recipe::Select::Kind::expertChoice; }

std::vector<std::int64_t> tableOfExperts(const Routing& routing) {
  return {routing.experts, static_cast<std::int64_t>(routing.expertTokens.size()) / routing.experts};
}

Result expertTokens(GoldenRun& run) {
  const Routing& routing = run.routing();
  if (!choosesTokens(run)) return std::nullopt;
  return observedIntegers(tableOfExperts(routing), routing.expertTokens);
}

Result expertGate(GoldenRun& run) {
  const Routing& routing = run.routing();
  if (!choosesTokens(run)) return std::nullopt;
  const std::vector<std::int64_t> shape = tableOfExperts(routing);
  const std::vector<double> weights = run.numbers(routing.finalWeight);  // (T, E): the column is the expert
  std::vector<double> out;
  for (std::size_t i = 0; i < routing.expertTokens.size(); ++i) {
    const std::int32_t token = routing.expertTokens[i];
    const std::int64_t expert = static_cast<std::int64_t>(i) / shape[1];
    out.push_back(token < 0 ? 0 : weights[at(token * routing.experts + expert)]);
  }
  return observed(shape, out);
}

std::vector<std::int64_t> admittedPerToken(const Routing& routing) {
  std::vector<std::int64_t> counts(at(routing.tokens), 0);
  for (std::int64_t i = 0; i < routing.tokens * routing.slots; ++i)
    counts[at(i / routing.slots)] += routing.final[at(i)] >= 0;
  return counts;
}

Result tokensWithoutExpert(GoldenRun& run) {
  std::int64_t without = 0;
  for (const std::int64_t count : admittedPerToken(run.routing())) without += count == 0;
  return observedInteger(without);
}

}  // namespace

const ObservableTable& capacityObservables() {
  static const ObservableTable observables{
      {"capacity_slots",
       [](GoldenRun& run) -> Result {
         if (run.recipe().capacity.dropless()) return std::nullopt;
         return observedInteger(run.routing().capacitySlots);
       }},
      {"keep", keep},
      {"position", position},
      {"dropped", [](GoldenRun& run) -> Result { return observedInteger(run.routing().dropped); }},
      {"skipped", [](GoldenRun& run) -> Result { return observedInteger(run.routing().skipped); }},
      {"final_index",
       [](GoldenRun& run) -> Result {
         const Routing& routing = run.routing();
         return observedIntegers({routing.tokens, routing.slots}, routing.final);
       }},
      {"final_weight",
       [](GoldenRun& run) -> Result {
         const Routing& routing = run.routing();
         return observed(run, routing.finalWeight, {routing.tokens, routing.slots});
       }},
      {"combine", combine},
      {"load_count",
       [](GoldenRun& run) -> Result { return observedIntegers({run.routing().experts}, run.routing().load); }},
      {"bias_next", biasNext},
      {"expert_token_index", expertTokens},
      {"expert_gate", expertGate},
      {"experts_per_token",
       [](GoldenRun& run) -> Result {
         return observedIntegers({run.routing().tokens}, admittedPerToken(run.routing()));
       }},
      {"tokens_without_expert", tokensWithoutExpert},
  };
  return observables;
}

}  // namespace moe
