#include <algorithm>
#include <cassert>

#include "core/backend/backend.h"
#include "core/base/error.h"
#include "core/train/trainer_impl.h"

namespace moe {
namespace {

using Named = TrainingState::Named;

std::string biasName(std::size_t layer) { return layerPrefix(layer) + "router.selection_bias"; }

Named clone(Backend& backend, const std::string& name, const TensorView& from) {
  Named named{name, hostTensor(from.shape, from.dtype)};
  backend.copy(named.tensor, from);
  return named;
}

[[noreturn]] void misfit(const std::string& name, const std::string& expected, const std::string& found) {
  throw Error("checkpoint",
              name + ": expected " + expected + ", checkpoint has " + found + "; it belongs to a model of other sizes");
}

using Part = StateSource::Part;

/// Every tensor the model wants is there under its name and in its shape, and nothing else is.
void check(const std::vector<StateSource::Entry>& found, const std::vector<std::pair<std::string, Shape>>& wanted,
           const std::string& part) {
  for (std::size_t i = 0; i < std::max(found.size(), wanted.size()); ++i) {
    if (i >= wanted.size()) misfit(part + found[i].name, "no such tensor", "shape " + found[i].shape.text());
    const auto& [name, shape] = wanted[i];
    if (i >= found.size()) misfit(part + name, "shape " + shape.text(), "no such tensor");
    if (found[i].name != name) misfit(part + name, "shape " + shape.text(), found[i].name + " in its place");
    if (found[i].shape != shape) misfit(part + name, "shape " + shape.text(), found[i].shape.text());
    if (found[i].dtype != DType::f32 && found[i].dtype != DType::f64)
      misfit(part + name, "f32 or f64", std::string(nameOf(found[i].dtype)));
  }
}

/// One that is in memory.
class HeldState : public StateSource {
 public:
  explicit HeldState(const TrainingState& state) : state_(state) {}
  std::int64_t step() const override { return state_.step; }
  std::vector<Entry> entries(Part part) const override {
    std::vector<Entry> all;
    for (const Named& named : list(part)) all.push_back({named.name, named.tensor.shape(), named.tensor.dtype()});
    return all;
  }
  void read(Part part, std::size_t place, const std::function<void(const TensorView&)>& take) const override {
    take(list(part)[place].tensor.view());
  }

 private:
  const std::vector<Named>& list(Part part) const {
    switch (part) {
      case Part::parameters: return state_.parameters;
      case Part::firstMoments: return state_.optimizerM;
      case Part::secondMoments: return state_.optimizerV;
      case Part::selectionBias: break;
    }
    return state_.selectionBias;
  }
  const TrainingState& state_;
};

}  // namespace

std::int64_t bytesOf(const TrainingState& state) {
  std::size_t bytes = 0;
  for (const auto* list : {&state.parameters, &state.optimizerM, &state.optimizerV, &state.selectionBias})
    for (const Named& named : *list) bytes += named.tensor.view().bytes();
  return static_cast<std::int64_t>(bytes);
}

TrainingState Trainer::state() const {
  assert(inFlight() == 0);
  Impl& run = *impl_;
  TrainingState state;
  state.step = run.done;
  const std::vector<Parameter>& parameters = run.model.parameters().all();
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    state.parameters.push_back(clone(run.backend, parameters[i].name, parameters[i].value));
    state.optimizerM.push_back(clone(run.backend, parameters[i].name, run.optimizer.firstMoments()[i]));
    state.optimizerV.push_back(clone(run.backend, parameters[i].name, run.optimizer.secondMoments()[i]));
  }
  for (std::size_t layer = 0; layer < run.config.model.layers.size(); ++layer)
    if (const TensorView bias = run.model.selectionBiasView(layer); !bias.empty())
      state.selectionBias.push_back(clone(run.backend, biasName(layer), bias));
  return state;
}

void Trainer::restore(const TrainingState& state) { restore(HeldState(state)); }

void Trainer::restore(const StateSource& source) {
  assert(inFlight() == 0);
  Impl& run = *impl_;
  std::vector<std::pair<std::string, Shape>> weights, biases;
  const std::vector<Parameter>& parameters = run.model.parameters().all();
  for (const Parameter& parameter : parameters) weights.emplace_back(parameter.name, parameter.value.shape);
  std::vector<TensorView> targets;
  for (std::size_t layer = 0; layer < run.config.model.layers.size(); ++layer) {
    const TensorView bias = run.model.selectionBiasView(layer);
    if (bias.empty()) continue;
    biases.emplace_back(biasName(layer), bias.shape);
    targets.push_back(bias);
  }
  check(source.entries(Part::parameters), weights, "");
  check(source.entries(Part::firstMoments), weights, "first moment of ");
  check(source.entries(Part::secondMoments), weights, "second moment of ");
  check(source.entries(Part::selectionBias), biases, "");
  if (source.step() < 0)
    throw Error("checkpoint", "step: expected 0 or more, checkpoint has " + std::to_string(source.step()));

  const auto copy = [&](Part part, std::size_t i, const TensorView& to) {
    source.read(part, i, [&](const TensorView& from) { run.backend.copy(to, from); });
  };
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    copy(Part::parameters, i, parameters[i].value);
    run.backend.parametersChanged(parameters[i].value);
    copy(Part::firstMoments, i, run.optimizer.firstMoments()[i]);
    copy(Part::secondMoments, i, run.optimizer.secondMoments()[i]);
  }
  for (std::size_t i = 0; i < targets.size(); ++i) copy(Part::selectionBias, i, targets[i]);
  run.backend.fill(run.health, 0);
  run.backend.synchronize();
  run.done = source.step();
}

}  // namespace moe
