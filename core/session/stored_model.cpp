#include "core/session/stored_model.h"

#include <algorithm>

#include "core/base/error.h"

namespace moe {

StoredModel loadStoredModel(Backend& backend, Checkpoint checkpoint) {
  StoredModel stored;
  stored.config = std::move(checkpoint.config);
  stored.tokenizer = checkpoint.tokenizer;
  stored.run = checkpoint.run;
  stored.step = checkpoint.state.step;
  if (const auto found = problems(stored.config.model, stored.config.train.routerLearns()); !found.empty())
    throw Error("checkpoint", "config.json: " + found.front().path + ": " + found.front().sentence);
  stored.model = std::make_unique<Model>(backend, stored.config.model, DType::f32, false);
  stored.model->initialise(stored.config.seed);  // hash tables are not saved
  stored.model->setTrainingTokens(tokensOfPass(stored.config));
  for (Parameter& parameter : stored.model->parameters().all()) {
    const auto same = [&](const TrainingState::Named& named) { return named.name == parameter.name; };
    const auto weights = std::find_if(checkpoint.state.parameters.begin(), checkpoint.state.parameters.end(), same);
    if (weights == checkpoint.state.parameters.end())
      throw Error("checkpoint", parameter.name + ": expected in model.safetensors, found nothing; choose another checkpoint");
    if (!(weights->tensor.shape() == parameter.value.shape))
      throw Error("checkpoint", parameter.name + ": expected shape " + parameter.value.shape.text() + ", found " +
                                    weights->tensor.shape().text() + "; choose another checkpoint");
    backend.copy(parameter.value, weights->tensor);
    backend.parametersChanged(parameter.value);
  }
  for (const TrainingState::Named& bias : checkpoint.state.selectionBias)
    for (std::size_t layer = 0; layer < stored.config.model.layers.size(); ++layer) {
      if (bias.name != "layers." + std::to_string(layer) + ".router.selection_bias") continue;
      const std::int64_t experts = stored.model->selectionBiasView(layer).elements();
      if (bias.tensor.elements() != experts)
        throw Error("checkpoint", bias.name + ": expected " + std::to_string(experts) + " numbers, found " +
                                      std::to_string(bias.tensor.elements()) + "; choose another checkpoint");
      stored.model->setSelectionBias(layer, bias.tensor.span<float>());
    }
  return stored;
}

}  // namespace moe
