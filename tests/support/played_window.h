#pragma once
// Everything a page is given, with a worker played by the test: it says what came out and sees what was posted.
#include <QSettings>
#include <QTemporaryDir>
#include <QtTest/QtTest>
#include <cmath>
#include <vector>

#include "ui/models/run_history.h"
#include "ui/models/selection.h"
#include "ui/session/run_library.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/views/page_context.h"
#include "ui/widgets/notices.h"
#include "ui/widgets/time_axis.h"

namespace moe::test {

/// A point with `layers` layers of `experts` experts, all at their fair share but for what `edit` changes.
inline StepPoint pointAt(RunId run, std::int64_t step, int layers = 2, int experts = 4) {
  StepPoint point;
  point.run = run;
  point.step = step;
  point.loss = 1.8 + 3.7 * std::exp(-static_cast<double>(step) / 80);
  point.auxLoss = 0.04;
  point.gradientNorm = 0.5;
  point.learningRate = 0.002;
  point.tokensPerSecond = 8300;
  for (int l = 0; l < layers; ++l) {
    LayerPoint layer;
    layer.layer = l;
    layer.load.assign(static_cast<std::size_t>(experts), 1.0f / static_cast<float>(experts));
    layer.maxVio = 0.1f * static_cast<float>(l + 1);
    layer.routerEntropy = 1.2f;
    layer.loadEntropy = 0.97f;
    point.layers.push_back(layer);
  }
  return point;
}

struct PlayedWindow {
  std::vector<Command> posted;
  Outbox next;
  std::function<void()> notify;
  QTemporaryDir folder;
  QSettings settings{folder.filePath("window.ini"), QSettings::IniFormat};
  ui::Theme theme;
  ui::SessionBridge bridge{
      ui::SessionPort{.post = [this](Command command) { posted.push_back(std::move(command)); },
                      .take = [this] { return std::exchange(next, {}); },
                      .setNotifier = [this](std::function<void()> notifier) { notify = std::move(notifier); }}};
  ui::RunHistory history{bridge};
  std::vector<std::pair<StoreThread::Work, StoreThread::Failed>> asked;  // of the store, in order; a test answers them
  ui::RunLibrary library{[this](StoreThread::Work work, StoreThread::Failed failed) {
    asked.emplace_back(std::move(work), std::move(failed));
  }};
  ui::Selection selection;
  ui::TimeAxis time;
  ui::Notices notices{theme};
  ui::PageContext context{bridge, history, library, selection, theme, time, notices, settings, {}};
  SessionStatus status;

  /// Hands over what is in `next` (and the status) and waits until the window took it.
  void deliver() {
    next.status = status;
    notify();
    QSignalSpy taken(&bridge, &ui::SessionBridge::statusChanged);
    QVERIFY(taken.wait(2000));
  }
  /// A run of this configuration, training, with `steps` points of four experts in two layers.
  void start(RunId run, const RunConfig& config, std::int64_t steps) {
    RunSummary summary;
    summary.id = run;
    summary.name = "run " + std::to_string(run);
    next.startedRuns.push_back(summary);
    for (std::int64_t step = 1; step <= steps; ++step) next.points.push_back(pointAt(run, step));
    status.run = run;
    status.state = SessionStatus::State::training;
    status.step = steps;
    status.targetSteps = 1000;
    status.tokensPerSecond = 8300;
    status.secondsLeft = 200;
    status.config = config;
    status.size = sizeOf(config);
    status.backend = "onednn, f32, 2 threads";
    deliver();
  }
  template <class Kind>
  std::vector<Kind> postedOf() const {
    std::vector<Kind> all;
    for (const Command& command : posted)
      if (const Kind* one = std::get_if<Kind>(&command)) all.push_back(*one);
    return all;
  }
};

}  // namespace moe::test
