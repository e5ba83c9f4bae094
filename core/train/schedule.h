#pragma once
#include <cstdint>

#include "core/train/run_config.h"

namespace moe {

/// Learning rate of optimiser step `step` (from 0): linear warm-up, times one or a cosine from 1 to finalShare over
/// train.steps. Past the end it stays where the schedule ended.
double learningRateAt(const TrainConfig& train, std::int64_t step);

}  // namespace moe
