#pragma once
#include <cstdint>
#include <string>

#include "core/train/run_config.h"

namespace moe {

/// Learning rate of optimiser step `step` (from 0): linear warm-up, times one or a cosine from 1 to finalShare over
/// train.steps. Past the end it stays where the schedule ended.
double learningRateAt(const TrainConfig& train, std::int64_t step);

/// The learning rate that a constant schedule needs to stay at the rate of step `step`, whatever the warm-up.
double heldRate(const TrainConfig& train, std::int64_t step);

/// What another target does to the rate of optimiser step `step`, which a cosine stretched over it changes: a sentence that
/// says both rates and how to stay at the one reached. Empty where nothing changes.
std::string stretchedRate(const TrainConfig& before, const TrainConfig& after, std::int64_t step);

}  // namespace moe
