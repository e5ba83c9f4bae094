#include "core/telemetry/collapse_detector.h"

#include <algorithm>
#include <cctype>

#include "core/base/number_text.h"

namespace moe {

namespace {

std::int64_t capacityFor(const AlertConfig& config) { return std::max<std::int64_t>(config.window, kSummarySteps); }

RunEvent eventOf(RunEvent::Kind kind, const Alert& alert, std::int64_t step, int window) {
  RunEvent event;
  event.run = alert.run;
  event.step = step;
  event.kind = kind;
  event.layer = alert.layer;
  event.expert = alert.expert;
  event.utilization = alert.utilization;
  std::string place = layerName(alert.layer);
  place[0] = static_cast<char>(std::toupper(place[0]));
  event.text = place + ", expert " + std::to_string(alert.expert) +
               (kind == RunEvent::Kind::alertRaised ? " is dying: " : " has recovered: ") +
               fixedText(100 * alert.utilization, 1) + " % of its fair share over the last " + std::to_string(window) +
               " steps.";
  return event;
}

}  // namespace

CollapseDetector::CollapseDetector(RunId run, AlertConfig config)
    : run_(run), config_(config), window_(capacityFor(config)) {}

void CollapseDetector::configure(AlertConfig config) {
  config_ = config;
  window_.setCapacity(capacityFor(config));
}

void CollapseDetector::setRun(RunId run) {
  run_ = run;
  for (Alert& alert : standing_) alert.run = run;
}

std::vector<RunEvent> CollapseDetector::update(const StepPoint& point) {
  window_.push(point);
  std::vector<RunEvent> events;
  utilization_.clear();
  if (window_.size() < config_.window) return events;
  utilization_ = window_.utilization(config_.window);
  std::vector<Alert> standing;
  auto before = standing_.begin();
  for (const ExpertUtilization& expert : utilization_) {
    const bool stood = before != standing_.end() && before->layer == expert.layer && before->expert == expert.expert;
    Alert alert{run_, expert.layer, expert.expert, stood ? before->since : point.step, expert.utilization};
    if (stood) ++before;
    if (stood && expert.utilization >= config_.clears) {
      events.push_back(eventOf(RunEvent::Kind::alertCleared, alert, point.step, config_.window));
    } else if (stood || expert.utilization < config_.threshold) {
      if (!stood) events.push_back(eventOf(RunEvent::Kind::alertRaised, alert, point.step, config_.window));
      standing.push_back(alert);
    }
  }
  standing_ = std::move(standing);
  return events;
}

std::optional<int> CollapseDetector::deadExperts(int layer) const {
  if (utilization_.empty()) return std::nullopt;
  return static_cast<int>(std::count_if(utilization_.begin(), utilization_.end(), [&](const ExpertUtilization& expert) {
    return expert.layer == layer && expert.utilization < config_.threshold;
  }));
}

void CollapseDetector::restore(const WatchState& state) {
  window_.restore(state.loads);
  standing_ = state.alerts;
  for (Alert& alert : standing_) alert.run = run_;
  std::sort(standing_.begin(), standing_.end(), [](const Alert& a, const Alert& b) {
    return a.layer != b.layer ? a.layer < b.layer : a.expert < b.expert;
  });
}

}  // namespace moe
