// Observables of experts, combine, head and objective.
#include <cmath>

#include "core/backend/backend.h"
#include "core/base/index.h"
#include "core/golden/observables.h"

namespace moe {

namespace {

using Result = std::optional<Observed>;

bool isLayer(GoldenRun& run) { return run.file().kind == GoldenVector::Kind::layer; }

Tensor rows(GoldenRun& run, std::int64_t columns) {
  return run.backend().allocate({run.sizes()['T'], columns}, run.dtype());
}

Result routedOutput(GoldenRun& run) {
  if (!isLayer(run)) return std::nullopt;
  ExpertsSpec spec = expertsSpec(run.recipe(), run.sizes()['D']);
  const Tensor out = rows(run, spec.outputWidth);
  const Dispatch& dispatch = run.routing().dispatch;
  const Tensor saved =
      run.backend().allocate({run.backend().expertsSavedElements(spec, dispatch.assignments())}, run.dtype());
  const TensorView keep = spec.dropout > 0 ? run.tensor("combine.expert_dropout.draw") : TensorView{};
  run.backend().experts(out, saved, run.moeInput(), dispatch, spec, run.weights().experts, keep, false);
  return observed(run, out, {out.shape()[0], out.shape()[1]});
}

Result bankOutput(GoldenRun& run, const TensorView& x, const ExpertsSpec& spec, const ExpertsWeights& weights) {
  const Tensor out = rows(run, spec.outputWidth);
  run.runBank(out, x, spec, weights);
  return observed(run, out, {out.shape()[0], out.shape()[1]});
}

Result sharedOutput(GoldenRun& run) {
  if (!isLayer(run) || !run.recipe().combine.shared) return std::nullopt;
  return bankOutput(run, run.moeInput(), sharedSpec(run.recipe(), run.sizes()['D']), run.weights().shared);
}

Result sharedGate(GoldenRun& run) {
  if (!isLayer(run) || !run.recipe().combine.shared || !run.recipe().combine.shared->tokenGate) return std::nullopt;
  return observed(run, run.layer().sharedGate(), {run.sizes()['T'], 1});
}

Result denseResidual(GoldenRun& run) {
  if (!isLayer(run) || !run.recipe().combine.denseResidual) return std::nullopt;
  return bankOutput(run, run.denseInput(), denseResidualSpec(run.recipe(), run.sizes()['D']),
                    run.weights().denseResidual);
}

Result denseOutput(GoldenRun& run) {
  if (!isLayer(run) || !run.file().find("experts.init.up")) return std::nullopt;
  return bankOutput(run, run.moeInput(), run.denseSourceSpec(), run.denseSource());
}

Result expertOutputs(GoldenRun& run) {
  if (!isLayer(run)) return std::nullopt;
  ExpertsSpec bank = expertsSpec(run.recipe(), run.sizes()['D']);
  bank.weightOnInput = false;
  bank.dropout = 0;
  const std::int64_t T = run.sizes()['T'], E = bank.experts(), O = bank.outputWidth;
  std::vector<double> out(at(T * E * O));
  const Tensor one = rows(run, O);
  for (std::int64_t e = 0; e < E; ++e) {
    run.runBank(one, run.moeInput(), oneExpert(bank, e), oneExpert(bank, run.weights().experts, e));
    const std::vector<double> values = run.numbers(one);
    for (std::int64_t t = 0; t < T; ++t)
      for (std::int64_t o = 0; o < O; ++o) out[at((t * E + e) * O + o)] = values[at(t * O + o)];
  }
  return observed({T, E, O}, out);
}

Result posterior(GoldenRun& run) {
  if (!isLayer(run) || run.recipe().head.kind != Recipe::Head::Kind::mixture) return std::nullopt;
  const MixtureHead& head = run.head();
  return observed(
      {run.sizes()['T'], run.sizes()['E']},
      mixturePosterior(run.recipe().head.density, head.shares(), head.outputs(), run.target(), run.sizes()['E']));
}

/// sum(output * grad_output), or sum(topk_weight * grad_weight); `total` adds the losses.
Result objective(GoldenRun& run, bool total) {
  const bool byWeight = !run.tensor("grad_weight").empty();
  if (!byWeight && run.tensor("grad_output").empty()) return std::nullopt;
  const std::vector<double> left = byWeight ? run.numbers(run.routing().askedWeight) : run.numbers(run.output());
  const std::vector<double> right = run.numbers(run.tensor(byWeight ? "grad_weight" : "grad_output"));
  Observed out = observedNumber(0);
  for (std::size_t i = 0; i < left.size(); ++i) {
    out.data[0] += left[i] * right[i];
    out.magnitude += std::abs(left[i] * right[i]);
  }
  const auto coefficients = run.coefficients();
  for (const auto& [name, value] : run.values()) {
    const double loss = coefficients.at(name) * value;
    if (total) out.data[0] += loss;
    out.magnitude += std::abs(loss);
  }
  return out;
}

}  // namespace

const ObservableTable& layerObservables() {
  static const ObservableTable observables{
      {"output",
       [](GoldenRun& run) -> Result {
         if (!isLayer(run)) return std::nullopt;
         const TensorView output = run.output();
         return observed(run, output, {output.shape[0], output.shape[1]});
       }},
      {"routed_output", routedOutput},
      {"shared_output", sharedOutput},
      {"shared_gate", sharedGate},
      {"dense_residual_output", denseResidual},
      {"dense_output", denseOutput},
      {"expert_outputs", expertOutputs},
      {"posterior", posterior},
      {"objective_output_term", [](GoldenRun& run) { return objective(run, false); }},
      {"objective_total", [](GoldenRun& run) { return objective(run, true); }},
  };
  return observables;
}

}  // namespace moe
