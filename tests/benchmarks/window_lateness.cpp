// How late the window's event loop is while a model trains, and what training loses to the window:
//   benchmark_window_lateness [SECONDS] [fluid|fast]
// The real window on the real worker (first preset, a store of its own) shows the Train page; a precise timer of 10 ms
// notes how much later than asked each tick comes. What a person feels as a stutter is the 99th percentile.
// In turn with it the event loop stands still for as long: then the same worker trains as if there were no window.
#include <QApplication>
#include <QElapsedTimer>
#include <QSettings>
#include <QTemporaryDir>
#include <QTimer>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <string>
#include <thread>
#include <vector>

#include "app/waiting.h"
#include "ui/models/run_history.h"
#include "ui/models/selection.h"
#include "ui/session/run_library.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/views/main_window.h"
#include "ui/widgets/notices.h"
#include "ui/widgets/time_axis.h"

using namespace moe;

namespace {

/// Hands the worker's values on to the window and counts the training steps among them.
class CountingPort {
 public:
  explicit CountingPort(TrainingSession& session) : session_(session) {}

  ui::SessionPort port() {
    ui::SessionPort port = ui::portOf(session_);
    port.take = [this] {
      if (waiting_.empty()) return counted();
      Outbox first = std::move(waiting_.front());
      waiting_.pop_front();
      return first;
    };
    return port;
  }
  /// Steps done so far; what came with them is kept for the window.
  std::int64_t steps() {
    waiting_.push_back(counted());
    return steps_;
  }

 private:
  Outbox counted() {
    Outbox outbox = session_.take();
    steps_ += static_cast<std::int64_t>(outbox.points.size());
    return outbox;
  }

  TrainingSession& session_;
  std::deque<Outbox> waiting_;
  std::int64_t steps_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  waitWithoutSpinning(argv);
  QApplication application(argc, argv);
  const int seconds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 60;
  const bool fluid = argc < 3 || std::string(argv[2]) != "fast";
  constexpr double kInterval = 10;  // ms
  constexpr int kStart = 3000;      // ms until the model trains and the first pictures are drawn
  constexpr int kPhase = 2000;      // ms with the window, then as long without

  const QTemporaryDir folder;
  QSettings settings(folder.filePath("window.ini"), QSettings::IniFormat);
  TrainingSession session({.store = std::filesystem::path(folder.filePath("runs.db").toStdString()), .fluid = fluid});
  ui::Theme theme;
  theme.apply();
  CountingPort counting(session);
  ui::SessionBridge bridge(counting.port());
  ui::RunHistory history(bridge);
  ui::RunLibrary library([&](StoreThread::Work work, StoreThread::Failed failed) {
    session.withStore(std::move(work), std::move(failed));
  });
  ui::Selection selection;
  ui::TimeAxis time;
  ui::Notices notices(theme);
  ui::MainWindow window({bridge, history, library, selection, theme, time, notices, settings, {}});
  window.show();
  RunConfig config = runConfigOfPreset(firstPreset().id);
  config.train.steps = 1'000'000;
  session.post(command::Start{.config = config});

  std::vector<double> late;
  QElapsedTimer clock;
  QTimer timer;
  timer.setTimerType(Qt::PreciseTimer);
  timer.setSingleShot(true);
  QObject::connect(&timer, &QTimer::timeout, [&] {
    late.push_back(std::max(0.0, static_cast<double>(clock.nsecsElapsed()) / 1e6 - kInterval));
    clock.restart();
    timer.start(static_cast<int>(kInterval));
  });
  const auto runWindow = [](int milliseconds) {
    QTimer::singleShot(milliseconds, qApp, &QCoreApplication::quit);
    QApplication::exec();
  };
  runWindow(kStart);
  double with = 0, without = 0;  // steps
  for (int passed = 0; passed < 1000 * seconds; passed += 2 * kPhase) {
    const std::int64_t before = counting.steps();
    clock.start();
    timer.start(static_cast<int>(kInterval));
    runWindow(kPhase);
    timer.stop();
    const std::int64_t between = counting.steps();
    std::this_thread::sleep_for(std::chrono::milliseconds(kPhase));
    with += static_cast<double>(between - before);
    without += static_cast<double>(counting.steps() - between);
  }

  std::sort(late.begin(), late.end());
  const auto at = [&](double share) {
    return late[static_cast<std::size_t>(share * static_cast<double>(late.size() - 1))];
  };
  std::printf("%s, %zu ticks, step %lld: late p50 %.1f ms, p99 %.1f ms, most %.1f ms\n", fluid ? "fluid" : "fast",
              late.size(), static_cast<long long>(history.newestStep()), at(0.5), at(0.99), at(1));
  std::printf("%s: %.0f steps beside the window, %.0f in the same time without it: %.1f %% lost\n",
              fluid ? "fluid" : "fast", with, without, 100 * (1 - with / without));
  return 0;
}
