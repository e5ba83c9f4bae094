#include "core/golden/observables.h"

namespace moe {

namespace {

/// Objective of a gradient field: grad_total, grad_output_term, or grad_unscaled of a term or head loss.
std::optional<GoldenObjective> objectiveOf(GoldenRun& run, const std::vector<std::string>& path) {
  GoldenObjective objective;
  if (path.size() == 2 && path[0] == "grad_total") {
    objective.output = true;
    objective.balance = kAllBalanceTerms;
    objective.allHeadLosses = true;
    return objective;
  }
  if (path.size() == 2 && path[0] == "grad_output_term") {
    objective.output = true;
    return objective;
  }
  if (path.size() != 3 || path[0] != "grad_unscaled") return std::nullopt;
  const Recipe& recipe = run.recipe();
  for (std::size_t i = 0; i < recipe.balance.size(); ++i)
    if (recipe.balance[i].name == path[1]) {
      objective.balance = static_cast<int>(i);
      return objective;
    }
  for (std::size_t i = 0; i < recipe.head.losses.size(); ++i)
    if (recipe.head.losses[i].name == path[1]) {
      objective.headLoss = i;
      return objective;
    }
  return std::nullopt;
}

std::optional<Observed> observeGradient(GoldenRun& run, const std::vector<std::string>& path) {
  const std::optional<GoldenObjective> objective = objectiveOf(run, path);
  if (!objective) return std::nullopt;
  if (objective->output && !run.file().find("grad_output") && !run.file().find("grad_weight")) return std::nullopt;
  for (const GoldenInput& input : run.file().inputs) {
    if (input.name != path.back() || !isDifferentiable(input.role)) continue;
    return observed(input.tensor.shape, run.gradients(*objective).at(input.role));
  }
  return std::nullopt;
}

std::optional<Observed> observeLoss(GoldenRun& run, const std::vector<std::string>& path) {
  const auto& values = run.values();
  const auto value = values.find(path[1]);
  if (value == values.end()) return std::nullopt;
  return observedNumber(path[0] == "losses" ? run.coefficients().at(path[1]) * value->second : value->second);
}

}  // namespace

Observed observed(GoldenRun& run, const TensorView& view, std::vector<std::int64_t> shape) {
  return observed(std::move(shape), run.numbers(view));
}

Observed observed(std::vector<std::int64_t> shape, std::vector<double> values) {
  return {false, std::move(shape), std::move(values)};
}

Observed observedIntegers(std::vector<std::int64_t> shape, const std::vector<std::int32_t>& values) {
  return {true, std::move(shape), {values.begin(), values.end()}};
}

Observed observedIntegers(std::vector<std::int64_t> shape, const std::vector<std::int64_t>& values) {
  Observed out{true, std::move(shape), {}};
  for (const std::int64_t value : values) out.data.push_back(static_cast<double>(value));
  return out;
}

Observed observedNumber(double value) { return {false, {}, {value}}; }

Observed observedInteger(std::int64_t value) { return {true, {}, {static_cast<double>(value)}}; }

std::optional<Observed> observe(GoldenRun& run, const std::vector<std::string>& path) {
  if (path[0].starts_with("grad_")) return observeGradient(run, path);
  if (path.size() == 2 && (path[0] == "losses" || path[0] == "unscaled")) return observeLoss(run, path);
  if (path.size() != 1) return std::nullopt;
  const auto in = [&](const ObservableTable& table) -> std::optional<Observe> {
    const auto found = table.find(path[0]);
    return found == table.end() ? std::nullopt : std::optional(found->second);
  };
  // What is measured of a given routing has the names of what a layer's own routing has.
  if (run.file().kind == GoldenVector::Kind::metrics) {
    const auto found = in(metricObservables());
    return found ? (*found)(run) : std::nullopt;
  }
  for (const ObservableTable* table :
       {&routingObservables(), &capacityObservables(), &layerObservables(), &scheduleObservables()})
    if (const auto found = in(*table)) return (*found)(run);
  return std::nullopt;
}

}  // namespace moe
