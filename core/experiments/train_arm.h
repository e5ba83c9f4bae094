#pragma once
#include <filesystem>

#include "core/experiments/measures.h"
#include "core/formats/checkpoint.h"
#include "core/train/trainer.h"

namespace moe {

/// Trains a configuration as `switchyard-cli train` does, without a store, and takes every measure its model has. Where
/// `checkpoint` is not empty the trained model is left there. Throws Error("experiment") where the loss is not finite.
ArmResult trainArm(const RunConfig& config, const std::filesystem::path& checkpoint);

/// A trained model as it is now.
Checkpoint checkpointOf(const Trainer& trainer);

}  // namespace moe
