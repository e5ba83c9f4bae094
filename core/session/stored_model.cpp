#include "core/session/stored_model.h"

#include <algorithm>
#include <functional>
#include <span>

#include "core/backend/backend.h"
#include "core/base/error.h"

namespace moe {

namespace {

/// `weights(name)`: the tensor of that name until the next call; of no shape where there is none.
StoredModel load(Backend& backend, const Checkpoint& about, std::span<const std::string> biases,
                 const std::function<TensorView(const std::string&)>& weights) {
  StoredModel stored;
  stored.config = about.config;
  stored.tokenizer = about.tokenizer;
  stored.run = about.run;
  stored.step = about.state.step;
  if (const auto found = problems(stored.config.model, stored.config.train.routerLearns()); !found.empty())
    throw Error("checkpoint", "config.json: " + found.front().path + ": " + found.front().sentence);
  stored.model = std::make_unique<Model>(backend, stored.config.model, DType::f32, false);
  stored.model->initialise(stored.config.seed);  // hash tables are not saved
  stored.model->setTrainingTokens(tokensOfPass(stored.config));
  for (Parameter& parameter : stored.model->parameters().all()) {
    const TensorView found = weights(parameter.name);
    if (found.data == nullptr)
      throw Error("checkpoint",
                  parameter.name + ": expected in model.safetensors, found nothing; choose another checkpoint");
    if (!(found.shape == parameter.value.shape))
      throw Error("checkpoint", parameter.name + ": expected shape " + parameter.value.shape.text() + ", found " +
                                    found.shape.text() + "; choose another checkpoint");
    backend.copy(parameter.value, found);
    backend.parametersChanged(parameter.value);
  }
  for (const std::string& name : biases)
    for (std::size_t layer = 0; layer < stored.config.model.layers.size(); ++layer) {
      if (name != "layers." + std::to_string(layer) + ".router.selection_bias") continue;
      const TensorView bias = weights(name);
      const std::int64_t experts = stored.model->selectionBiasView(layer).elements();
      if (bias.elements() != experts || bias.dtype != DType::f32)
        throw Error("checkpoint", name + ": expected " + std::to_string(experts) + " numbers of f32, found " +
                                      std::to_string(bias.elements()) + " of " + std::string(nameOf(bias.dtype)) +
                                      "; choose another checkpoint");
      stored.model->setSelectionBias(layer, bias.span<float>());
    }
  return stored;
}

}  // namespace

StoredModel loadStoredModel(Backend& backend, const CheckpointFile& file) {
  Tensor held;
  return load(backend, file.about, file.selectionBias, [&](const std::string& name) {
    const SafetensorsFile::Entry* entry = file.weights.find(name);
    held = Tensor();  // before the next one is read
    if (entry != nullptr) held = file.weights.read(*entry);
    return held.view();
  });
}

StoredModel loadStoredModel(Backend& backend, const Checkpoint& checkpoint) {
  std::vector<std::string> biases;
  for (const TrainingState::Named& bias : checkpoint.state.selectionBias) biases.push_back(bias.name);
  return load(backend, checkpoint, biases, [&](const std::string& name) {
    for (const auto* list : {&checkpoint.state.parameters, &checkpoint.state.selectionBias})
      for (const TrainingState::Named& named : *list)
        if (named.name == name) return named.tensor.view();
    return TensorView();
  });
}

}  // namespace moe
