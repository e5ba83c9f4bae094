#include "ui/session/session_bridge.h"

#include <QMetaObject>

namespace moe::ui {

namespace {
constexpr int kMilliseconds = 33;
}

SessionBridge::SessionBridge(SessionPort port, QObject* parent) : QObject(parent), port_(std::move(port)) {
  timer_.setSingleShot(true);
  timer_.setInterval(kMilliseconds);
  connect(&timer_, &QTimer::timeout, this, &SessionBridge::takeAll);
  // The notifier runs on the worker's thread: it only asks the window's thread to look, and carries nothing.
  port_.setNotifier([this] {
    QMetaObject::invokeMethod(
        this,
        [this] {
          if (!timer_.isActive()) timer_.start();
        },
        Qt::QueuedConnection);
  });
}

SessionBridge::~SessionBridge() { port_.setNotifier({}); }

void SessionBridge::post(Command command) { port_.post(std::move(command)); }

void SessionBridge::takeAll() {
  Outbox out = port_.take();
  for (const RunSummary& run : out.startedRuns) Q_EMIT runStarted(run);
  if (!out.points.empty()) Q_EMIT pointsArrived(out.points);
  if (!out.studies.empty()) Q_EMIT studiesArrived(out.studies);
  if (!out.events.empty()) Q_EMIT eventsArrived(out.events);
  if (out.status) {
    status_ = std::move(*out.status);
    Q_EMIT statusChanged(status_);
  }
  if (out.probe) Q_EMIT probeArrived(std::move(out.probe));
  if (out.generation) Q_EMIT generationArrived(std::move(out.generation));
  for (const std::string& sentence : out.problems) Q_EMIT problemArrived(QString::fromStdString(sentence));
}

}  // namespace moe::ui
