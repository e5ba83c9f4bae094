// How late the window's event loop is while a model trains: benchmark_window_lateness [SECONDS] [fluid|fast]
// The real window on the real worker (first preset, a store of its own) shows the Train page; a precise timer of 10 ms
// notes how much later than asked each tick comes. What a person feels as a stutter is the 99th percentile.
#include <QApplication>
#include <QElapsedTimer>
#include <QSettings>
#include <QTemporaryDir>
#include <QTimer>
#include <algorithm>
#include <cstdio>
#include <string>
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

int main(int argc, char** argv) {
  waitWithoutSpinning(argv);
  QApplication application(argc, argv);
  const int seconds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 60;
  const bool fluid = argc < 3 || std::string(argv[2]) != "fast";
  constexpr double kInterval = 10;  // ms
  constexpr int kStart = 3000;      // ms until the model trains and the first pictures are drawn

  const QTemporaryDir folder;
  QSettings settings(folder.filePath("window.ini"), QSettings::IniFormat);
  TrainingSession session({.store = std::filesystem::path(folder.filePath("runs.db").toStdString()), .fluid = fluid});
  ui::Theme theme;
  theme.apply();
  ui::SessionBridge bridge(ui::portOf(session));
  ui::RunHistory history(bridge);
  ui::RunLibrary library([&](StoreThread::Work work, StoreThread::Failed failed) { session.withStore(std::move(work), std::move(failed)); });
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
  QTimer::singleShot(kStart, [&] { clock.start(), timer.start(static_cast<int>(kInterval)); });
  QTimer::singleShot(kStart + 1000 * seconds, &application, &QCoreApplication::quit);
  QApplication::exec();

  std::sort(late.begin(), late.end());
  const auto at = [&](double share) { return late[static_cast<std::size_t>(share * static_cast<double>(late.size() - 1))]; };
  std::printf("%s, %d s, %zu ticks, step %lld: late p50 %.1f ms, p99 %.1f ms, most %.1f ms\n", fluid ? "fluid" : "fast", seconds, late.size(),
              static_cast<long long>(history.newestStep()), at(0.5), at(0.99), at(1));
  return 0;
}
