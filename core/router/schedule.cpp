#include "core/router/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace moe {

double annealFactor(const Recipe::Perturb& perturb, std::int64_t step, std::int64_t totalSteps) {
  const double length = perturb.annealFraction * static_cast<double>(totalSteps), t = static_cast<double>(step);
  switch (perturb.anneal) {
    case Recipe::Perturb::Anneal::none: return 1;
    case Recipe::Perturb::Anneal::linear: return t < length ? std::max(0.0, 1 - t / length) : 0;
    case Recipe::Perturb::Anneal::cosine: return t < length ? (1 + std::cos(std::numbers::pi * t / length)) / 2 : 0;
  }
  return 1;
}

}  // namespace moe
