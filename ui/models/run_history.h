#pragma once
#include <QObject>
#include <map>
#include <memory>
#include <vector>

#include "core/explain/explanation.h"
#include "ui/models/run_columns.h"
#include "ui/session/session_bridge.h"

namespace moe::ui {

/// Every run the window knows, by id: the main one, its dense twin, and stored runs laid over them. Collects what the
/// bridge brings; views ask for (run, step) and draw from the columns. Lives on the window's thread.
class RunHistory : public QObject {
  Q_OBJECT

 public:
  struct Run {
    RunSummary summary;
    RunColumns columns;
    std::vector<RunEvent> events;                          // in order of step
    std::vector<std::shared_ptr<const RunStudy>> studies;  // in order of step
    std::vector<std::vector<StudyChange>> changes;         // (expert layers) of (studies)
    RunFacts facts;                                        // of its newest known configuration
    bool seesLaterTokens = false;                          // to be said on every picture of it
    bool awaitsPast = false;                               // reopened: its stored points are on their way
    std::vector<StepPoint> held;                           // what came meanwhile
  };

  explicit RunHistory(SessionBridge& session, QObject* parent = nullptr);

  RunId main() const { return main_; }
  RunId twin() const { return twin_; }
  const std::vector<RunId>& overlays() const { return overlays_; }
  /// Main, twin, overlays: those that are there.
  std::vector<RunId> onScreen() const;
  /// Null where the run is not known.
  const Run* find(RunId run) const;
  const Run* mainRun() const { return find(main_); }
  /// Newest step of the runs on screen.
  std::int64_t newestStep() const;
  /// Alerts standing in the main run and its twin.
  const std::vector<Alert>& alerts() const { return alerts_; }

  /// Lays a stored run over the curves; replaces it where it is there already.
  void addOverlay(const RunSummary& summary, const std::vector<StepPoint>& points, const std::vector<RunEvent>& events,
                  const std::vector<std::shared_ptr<const RunStudy>>& studies = {});
  void removeOverlay(RunId run);
  /// The stored points and events of a run that was reopened; what came since goes after them.
  void addPast(RunId run, const std::vector<StepPoint>& points, const std::vector<RunEvent>& events,
               const std::vector<std::shared_ptr<const RunStudy>>& studies = {});

 Q_SIGNALS:
  /// A run was reopened whose past is not known here: whoever holds the store answers with addPast().
  void pastWanted(moe::RunId run);
  /// Which runs are on screen changed.
  void runsChanged();
  /// A known run got new points, or lost some.
  void pointsAdded(moe::RunId run);
  void eventsAdded(moe::RunId run);
  void alertsChanged();
  /// A known run was studied.
  void studied(moe::RunId run);

 private:
  void startRun(const RunSummary& summary);
  void addPoints(const std::vector<StepPoint>& points);
  void addEvents(const std::vector<RunEvent>& events);
  void addStudies(const std::vector<std::shared_ptr<const RunStudy>>& studies);
  static void insertStudies(Run& run, const std::vector<std::shared_ptr<const RunStudy>>& studies);
  void follow(const SessionStatus& status);
  void forgetOthers();

  std::map<RunId, Run> runs_;
  RunId main_ = 0, twin_ = 0;
  std::vector<RunId> overlays_;
  std::vector<Alert> alerts_;
};

}  // namespace moe::ui
