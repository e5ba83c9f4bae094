#include "core/train/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/base/number_text.h"

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

double heldRate(const TrainConfig& train, std::int64_t step) {
  TrainConfig warm = train;
  warm.schedule = TrainConfig::Schedule::constant;
  warm.learningRate = 1;
  return learningRateAt(train, step) / learningRateAt(warm, step);
}

std::string stretchedRate(const TrainConfig& before, const TrainConfig& after, std::int64_t step) {
  const double was = learningRateAt(before, step), now = learningRateAt(after, step);
  if (before.steps == after.steps || std::abs(now - was) <= 1e-9 * was) return "";
  const std::string reached = numberText(was, 3);
  return "The cosine is stretched over " + std::to_string(after.steps) + " steps: the learning rate of step " +
         std::to_string(step + 1) + " is " + numberText(now, 3) + " instead of " + reached + ". To stay at " + reached +
         ", set train.schedule to constant and train.learning_rate to that (train --resume ... --rate hold).";
}

}  // namespace moe
