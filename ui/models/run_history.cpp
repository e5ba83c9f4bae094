#include "ui/models/run_history.h"

#include <algorithm>
#include <set>
#include <utility>

#include "core/explain/run_facts.h"

namespace moe::ui {

namespace {

void learn(RunHistory::Run& run, const RunConfig& config) {
  run.facts = factsOf(config);
  run.facts.validatedTokens = run.summary.validatedTokens;
  run.facts.heldOutTokens = run.summary.heldOutTokens;
  run.seesLaterTokens = seesLaterTokens(config.model);
}

void learn(RunHistory::Run& run) {
  if (const auto config = configFromText(run.summary.config)) learn(run, *config);
}

}  // namespace

RunHistory::RunHistory(SessionBridge& session, QObject* parent) : QObject(parent) {
  connect(&session, &SessionBridge::runStarted, this, &RunHistory::startRun);
  connect(&session, &SessionBridge::pointsArrived, this, &RunHistory::addPoints);
  connect(&session, &SessionBridge::eventsArrived, this, &RunHistory::addEvents);
  connect(&session, &SessionBridge::studiesArrived, this, &RunHistory::addStudies);
  connect(&session, &SessionBridge::statusChanged, this, &RunHistory::follow);
}

std::vector<RunId> RunHistory::onScreen() const {
  std::vector<RunId> runs;
  for (RunId run : {main_, twin_})
    if (run != 0) runs.push_back(run);
  for (RunId run : overlays_)
    if (run != main_ && run != twin_) runs.push_back(run);
  return runs;
}

const RunHistory::Run* RunHistory::find(RunId run) const {
  const auto found = runs_.find(run);
  return found == runs_.end() ? nullptr : &found->second;
}

std::int64_t RunHistory::newestStep() const {
  std::int64_t newest = 0;
  for (RunId run : onScreen())
    if (const Run* known = find(run)) newest = std::max(newest, known->columns.lastStep());
  return newest;
}

void RunHistory::startRun(const RunSummary& summary) {
  Run& run = runs_[summary.id];
  run.summary = summary;
  learn(run);
  if (const Run* parent = find(summary.parent); parent && run.columns.empty()) {
    // A fork goes on where its parent was: the past they share is drawn as its own.
    run.columns = parent->columns;
    run.columns.truncate(summary.parentStep);
    for (RunEvent event : parent->events)
      if (event.step <= summary.parentStep) event.run = summary.id, run.events.push_back(event);
    for (const auto& study : parent->studies)
      if (study->step <= summary.parentStep) insertStudies(run, {study});
  }
  if (summary.steps > 0 && run.columns.empty()) {
    run.awaitsPast = true;
    Q_EMIT pastWanted(summary.id);
  }
}

void RunHistory::addPoints(const std::vector<StepPoint>& points) {
  std::set<RunId> touched;
  for (const StepPoint& point : points) {
    Run& run = runs_[point.run];
    if (run.awaitsPast)
      run.held.push_back(point);
    else
      run.columns.append(point);
    touched.insert(point.run);
  }
  for (RunId run : touched) Q_EMIT pointsAdded(run);
}

void RunHistory::addEvents(const std::vector<RunEvent>& events) {
  std::set<RunId> touched;
  for (const RunEvent& event : events) {
    std::vector<RunEvent>& all = runs_[event.run].events;
    const auto after = std::upper_bound(all.begin(), all.end(), event,
                                        [](const RunEvent& a, const RunEvent& b) { return a.step < b.step; });
    all.insert(after, event);
    touched.insert(event.run);
  }
  for (RunId run : touched) Q_EMIT eventsAdded(run);
}

void RunHistory::insertStudies(Run& run, const std::vector<std::shared_ptr<const RunStudy>>& studies) {
  for (const auto& study : studies) {
    // A resumed run goes over its last steps again.
    while (!run.studies.empty() && run.studies.back()->step >= study->step) run.studies.pop_back();
    run.studies.push_back(study);
  }
  run.changes.clear();
  std::vector<const RunStudy*> all;
  for (const auto& study : run.studies) all.push_back(study.get());
  for (std::size_t layer = 0; !all.empty() && layer < all.back()->layers.size(); ++layer)
    run.changes.push_back(studyChanges(all, layer));
}

void RunHistory::addStudies(const std::vector<std::shared_ptr<const RunStudy>>& studies) {
  std::set<RunId> touched;
  for (const auto& study : studies) {
    insertStudies(runs_[study->run], {study});
    touched.insert(study->run);
  }
  for (RunId run : touched) Q_EMIT studied(run);
}

void RunHistory::follow(const SessionStatus& status) {
  const bool changed = status.run != main_ || status.twin != twin_;
  main_ = status.run;
  twin_ = status.twin;
  if (const auto run = runs_.find(main_); run != runs_.end() && status.config) learn(run->second, *status.config);
  if (changed) forgetOthers();
  const auto same = [](const Alert& a, const Alert& b) {
    return a.run == b.run && a.layer == b.layer && a.expert == b.expert && a.since == b.since &&
           a.utilization == b.utilization;
  };
  const bool other = !std::equal(alerts_.begin(), alerts_.end(), status.alerts.begin(), status.alerts.end(), same);
  alerts_ = status.alerts;
  if (changed) Q_EMIT runsChanged();
  if (changed || other) Q_EMIT alertsChanged();
}

void RunHistory::forgetOthers() {
  if (main_ == 0) return;  // between two runs: what is announced already must stay
  const std::vector<RunId> shown = onScreen();
  std::erase_if(runs_,
                [&](const auto& entry) { return std::find(shown.begin(), shown.end(), entry.first) == shown.end(); });
}

void RunHistory::addOverlay(const RunSummary& summary, const std::vector<StepPoint>& points,
                            const std::vector<RunEvent>& events,
                            const std::vector<std::shared_ptr<const RunStudy>>& studies) {
  if (summary.id != main_ && summary.id != twin_) {
    Run run;
    run.summary = summary;
    run.events = events;
    learn(run);
    insertStudies(run, studies);
    for (const StepPoint& point : points) run.columns.append(point);
    runs_[summary.id] = std::move(run);
  }
  if (std::find(overlays_.begin(), overlays_.end(), summary.id) == overlays_.end()) overlays_.push_back(summary.id);
  Q_EMIT runsChanged();
}

void RunHistory::addPast(RunId id, const std::vector<StepPoint>& points, const std::vector<RunEvent>& events,
                         const std::vector<std::shared_ptr<const RunStudy>>& studies) {
  const auto found = runs_.find(id);
  if (found == runs_.end() || !found->second.awaitsPast) return;
  Run& run = found->second;
  run.awaitsPast = false;
  for (const StepPoint& point : points) run.columns.append(point);
  for (const StepPoint& point : run.held) run.columns.append(point);
  run.held.clear();
  const std::vector<std::shared_ptr<const RunStudy>> since = std::exchange(run.studies, {});
  insertStudies(run, studies);
  insertStudies(run, since);
  // The store was read after the latest events were written: it has them all.
  if (events.size() >= run.events.size()) run.events = events;
  Q_EMIT runsChanged();
  Q_EMIT pointsAdded(id);
  Q_EMIT eventsAdded(id);
  Q_EMIT studied(id);
}

void RunHistory::removeOverlay(RunId run) {
  std::erase(overlays_, run);
  forgetOthers();
  Q_EMIT runsChanged();
}

}  // namespace moe::ui
