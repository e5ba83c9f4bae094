#include "core/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace moe {

double learningRateAt(const TrainConfig& train, std::int64_t step) {
  const double warm = train.warmup > 0 ? std::min(1.0, static_cast<double>(step + 1) / train.warmup) : 1.0;
  double share = 1;
  if (train.schedule == TrainConfig::Schedule::cosine) {
    const double done = std::min(1.0, static_cast<double>(step) / static_cast<double>(train.steps));
    share = train.finalShare + (1 - train.finalShare) * 0.5 * (1 + std::cos(std::numbers::pi * done));
  }
  return train.learningRate * warm * share;
}

}  // namespace moe
