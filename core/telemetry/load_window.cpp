#include "core/telemetry/load_window.h"

#include <algorithm>

namespace moe {

bool sameLayout(const StepLoads& a, const StepLoads& b) {
  return std::equal(a.layers.begin(), a.layers.end(), b.layers.begin(), b.layers.end(),
                    [](const StepLoads::Layer& x, const StepLoads::Layer& y) {
                      return x.layer == y.layer && x.share.size() == y.share.size();
                    });
}

void LoadWindow::setCapacity(std::int64_t capacity) {
  capacity_ = capacity;
  trim();
}

void LoadWindow::trim() {
  while (size() > capacity_) steps_.pop_front();
}

void LoadWindow::push(const StepPoint& point) {
  StepLoads loads;
  loads.step = point.step;
  for (const LayerPoint& layer : point.layers) loads.layers.push_back({layer.layer, layer.assignments, layer.load});
  push(std::move(loads));
}

void LoadWindow::push(StepLoads loads) {
  if (!steps_.empty() && !sameLayout(steps_.back(), loads)) steps_.clear();
  steps_.push_back(std::move(loads));
  trim();
}

void LoadWindow::restore(const std::vector<StepLoads>& loads) {
  steps_.clear();
  for (const StepLoads& step : loads) push(step);
}

std::vector<ExpertUtilization> LoadWindow::utilization(std::int64_t steps) const {
  std::vector<ExpertUtilization> result;
  if (steps_.empty()) return result;
  const std::int64_t first = std::max<std::int64_t>(0, size() - steps);
  const auto count = static_cast<double>(size() - first);
  for (std::size_t l = 0; l < steps_.back().layers.size(); ++l) {
    const StepLoads::Layer& newest = steps_.back().layers[l];
    const std::size_t experts = newest.share.size();
    for (std::size_t e = 0; e < experts; ++e) {
      double sum = 0;
      for (std::int64_t s = first; s < size(); ++s) sum += steps_[static_cast<std::size_t>(s)].layers[l].share[e];
      result.push_back({newest.layer, static_cast<int>(e), sum / count * static_cast<double>(experts)});
    }
  }
  return result;
}

std::vector<double> LoadWindow::maxVio(std::int64_t steps) const {
  std::vector<double> result;
  if (steps_.empty()) return result;
  const std::int64_t first = std::max<std::int64_t>(0, size() - steps);
  for (std::size_t l = 0; l < steps_.back().layers.size(); ++l) {
    std::vector<double> counts(steps_.back().layers[l].share.size());  // (E)
    double total = 0;
    for (std::int64_t s = first; s < size(); ++s) {
      const StepLoads::Layer& layer = steps_[static_cast<std::size_t>(s)].layers[l];
      for (std::size_t e = 0; e < counts.size(); ++e) counts[e] += layer.share[e] * layer.assignments;
      total += layer.assignments;
    }
    const double largest = counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
    result.push_back(total > 0 ? largest * static_cast<double>(counts.size()) / total - 1 : 0);
  }
  return result;
}

}  // namespace moe
