#pragma once
#include "core/train/run_config.h"

namespace moe {

/// What a run's matrix products are computed in: what it says, or, where it leaves the choice, bf16 where the processor
/// multiplies it in hardware and the model is wide enough to gain by it. From the sizes alone, so that a run that
/// begins twice on one machine chooses alike.
DType chosenComputeType(const RunConfig& config);

}  // namespace moe
