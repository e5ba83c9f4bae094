#pragma once
#include "core/model/model.h"
#include "core/train/run_config.h"

namespace moe {

/// Marks what train.freeze and train.frozen_experts hold still: whole parameters, and parts of banks of experts.
void freeze(Model& model, const TrainConfig& train);

}  // namespace moe
