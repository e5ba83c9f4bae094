#pragma once
#include <filesystem>
#include <memory>

#include "core/backend/backend.h"
#include "core/formats/checkpoint.h"
#include "core/model/model.h"

namespace moe {

/// The model of a checkpoint, for looking at it: no gradients, no optimizer. Uses the backend's thread.
struct StoredModel {
  RunConfig config;
  std::shared_ptr<const Tokenizer> tokenizer;
  RunId run = 0;
  std::int64_t step = 0;
  std::unique_ptr<Model> model;
};

/// Throws what loadCheckpoint throws, and Error("checkpoint") where its weights do not fit its own configuration.
StoredModel loadStoredModel(Backend& backend, Checkpoint checkpoint);

}  // namespace moe
