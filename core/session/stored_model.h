#pragma once
#include <filesystem>
#include <memory>

#include "core/formats/checkpoint.h"
#include "core/model/model.h"

namespace moe {

class Backend;

/// The model of a checkpoint, for looking at it: no gradients, no optimizer. Uses the backend's thread.
struct StoredModel {
  RunConfig config;
  std::shared_ptr<const Tokenizer> tokenizer;
  RunId run = 0;
  std::int64_t step = 0;
  std::unique_ptr<Model> model;
};

/// The weights are read one by one into the model, and nothing else of that size. `file`: its configuration may have been
/// changed. Throws Error("checkpoint") where the weights do not fit the configuration.
StoredModel loadStoredModel(Backend& backend, const CheckpointFile& file);
/// Of a checkpoint in memory.
StoredModel loadStoredModel(Backend& backend, const Checkpoint& checkpoint);

}  // namespace moe
