#include "ui/widgets/time_axis.h"

#include <algorithm>
#include <cmath>

namespace moe::ui {

namespace {
constexpr double kNarrowest = 4;  // steps
}

void TimeAxis::set(double first, double last) {
  if (first == first_ && last == last_) return;
  first_ = first;
  last_ = last;
  Q_EMIT changed();
}

void TimeAxis::setNewest(double step) {
  newest_ = step;
  if (following_) set(0, std::max(newest_, kShortest));
}

void TimeAxis::show(double first, double last) {
  if (last - first < kNarrowest) {
    const double middle = 0.5 * (first + last);
    first = middle - 0.5 * kNarrowest;
    last = middle + 0.5 * kNarrowest;
  }
  const double end = std::max(newest_, kShortest), span = std::min(last - first, end);
  first = std::clamp(first, 0.0, end - span);
  following_ = false;
  set(first, first + span);
}

void TimeAxis::zoom(double factor, double at) { show(at - (at - first_) * factor, at + (last_ - at) * factor); }

void TimeAxis::pan(double steps) { show(first_ + steps, last_ + steps); }

void TimeAxis::follow() {
  following_ = true;
  set(0, std::max(newest_, kShortest));
  Q_EMIT changed();
}

StepTicks stepTicks(double first, double last, int most) {
  const double rough = std::max((last - first) / std::max(most, 1), 1e-9);
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  double every = 10 * power;
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough) {
      every = factor * power;
      break;
    }
  every = std::max(every, 1.0);  // steps are whole
  const double from = std::ceil(first / every) * every;
  return {from, every, std::max(0, static_cast<int>(std::floor((last - from) / every)) + 1)};
}

}  // namespace moe::ui
