#pragma once
#include <QElapsedTimer>
#include <QFrame>

#include "core/session/training_session.h"

class QAction;
class QActionGroup;
class QLabel;
class QProgressBar;
class QToolButton;

namespace moe::ui {

class ExplainedLabel;
class RunHistory;
class SessionBridge;
class Theme;

/// The line above every page: play, pause, step, restart, and how the run stands.
class RunBar : public QFrame {
  Q_OBJECT

 public:
  RunBar(SessionBridge& session, RunHistory& history, Theme& theme, QWidget* parent = nullptr);

  QAction* playAction() const { return play_; }
  QAction* stepAction() const { return step_; }
  QAction* restartAction() const { return restart_; }
  /// Fluid and fast: how many cores train beside the window.
  QActionGroup* paces() const { return paces_; }
  /// What is written on the bar, for tests and screen readers.
  QString summary() const;
  QString alertSummary() const;

 Q_SIGNALS:
  void alertsWanted();

 protected:
  void resizeEvent(QResizeEvent* event) override;

 private:
  void makePaces();
  void toggle();
  void restart();
  void showStatus(const SessionStatus& status);
  void showAlerts();
  void refresh();
  void showDetails();
  void dress();
  QIcon icon(const char* name) const;

  SessionBridge& session_;
  RunHistory& history_;
  Theme& theme_;
  QAction *play_, *step_, *restart_;
  QProgressBar* progress_;
  ExplainedLabel* words_;
  QLabel* details_;
  QActionGroup* paces_;
  QToolButton *pace_, *alerts_;
  /// What was asked for and not yet confirmed, so that the button answers at once: -1 nothing, 0 pause, 1 play.
  int asked_ = -1;
  QElapsedTimer restarted_;  // since the last press
};

}  // namespace moe::ui
