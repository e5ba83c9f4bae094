#pragma once
#include <QObject>
#include <QTimer>
#include <memory>

#include "ui/session/session_port.h"

namespace moe::ui {

/// The only place where the worker and Qt meet. Posts commands in; takes what came out at most 30 times a second on the
/// window's thread and emits it as plain values. Views connect to the signals and call `post`.
class SessionBridge : public QObject {
  Q_OBJECT

 public:
  explicit SessionBridge(SessionPort port, QObject* parent = nullptr);
  ~SessionBridge() override;

  void post(Command command);
  const SessionStatus& status() const { return status_; }
  /// A number for Probe and Generate, so that an answer can be told from an older one's.
  std::uint64_t nextRequest() { return ++request_; }

 Q_SIGNALS:
  void runStarted(const moe::RunSummary& run);
  void pointsArrived(const std::vector<moe::StepPoint>& points);
  void studiesArrived(const std::vector<std::shared_ptr<const moe::RunStudy>>& studies);
  void eventsArrived(const std::vector<moe::RunEvent>& events);
  void statusChanged(const moe::SessionStatus& status);
  void probeArrived(std::shared_ptr<const moe::TextRouting> routing);
  void generationArrived(std::shared_ptr<const moe::TextRouting> routing);
  void problemArrived(const QString& sentence);

 private:
  void takeAll();

  SessionPort port_;
  SessionStatus status_;
  QTimer timer_;  // single shot, paces takeAll to 30 Hz
  std::uint64_t request_ = 0;
};

}  // namespace moe::ui
