#include <QApplication>
#include <QCommandLineParser>
#include <QProcess>
#include <QSettings>
#include <QTemporaryDir>
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <initializer_list>
#include <iostream>
#include <optional>
#include <string_view>

#include "app/enough_threads.h"
#include "app/screenshot.h"
#include "app/waiting.h"
#include "core/base/signals.h"
#include "core/store/run_store.h"
#include "ui/models/run_history.h"
#include "ui/models/selection.h"
#include "ui/session/run_library.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/program_icon.h"
#include "ui/theme/theme.h"
#include "ui/views/main_window.h"
#include "ui/widgets/format.h"
#include "ui/widgets/notices.h"
#include "ui/widgets/time_axis.h"

namespace {

using namespace moe;

/// Signals, the worker, the store, who listens for those that share it and serves them, and those that Qt begins for itself.
constexpr int kThreads = 8;

struct Arguments {
  QString run, store;
  std::optional<ScreenshotRequest> screenshot;
  std::optional<ui::Theme::Mode> theme;
  bool presenter = false;
};

[[noreturn]] void refuse(const QString& sentence) {
  std::cerr << "switchyard: " << sentence.toStdString() << '\n';
  std::exit(2);
}

bool anyOf(int argc, char** argv, std::initializer_list<std::string_view> words) {
  return std::any_of(argv + 1, argv + argc, [&](const char* argument) {
    return std::ranges::any_of(words,
                               [&](std::string_view word) { return std::string_view(argument).starts_with(word); });
  });
}

/// Pictures need no display, the window does; Qt would end the process without a word of what to do.
void requireDisplay(int argc, char** argv) {
  if (qEnvironmentVariableIsSet("DISPLAY") || qEnvironmentVariableIsSet("WAYLAND_DISPLAY") ||
      qEnvironmentVariableIsSet("QT_QPA_PLATFORM") || anyOf(argc, argv, {"-platform", "--platform"}))
    return;
  if (anyOf(argc, argv, {"--screenshot"})) {
    qputenv("QT_QPA_PLATFORM", "offscreen");
    return;
  }
  std::cerr << "switchyard: expected a display for the window, found neither DISPLAY nor WAYLAND_DISPLAY; start it on "
               "a desktop, "
               "train in this terminal with switchyard-cli, or take pictures with --screenshot DIR\n";
  std::exit(1);
}

Arguments parse(const QCoreApplication& application) {
  QCommandLineParser parser;
  parser.setApplicationDescription("Train small Mixture-of-Experts language models and watch the routing.");
  parser.addHelpOption();
  parser.addVersionOption();
  parser.addPositionalArgument("run", "A stored run to open: its number or its name.", "[RUN]");
  parser.addOptions({{"screenshot", "Train a little, write one PNG a page into <folder>, and exit.", "folder"},
                     {"size", "Size of the pictures, 1280x800 unless said.", "WxH"},
                     {"steps", "Steps trained before the pictures, 150 unless said.", "steps"},
                     {"theme", "light or dark.", "theme"},
                     {"store", "The runs of <file> instead of those of this account.", "file"},
                     {"presenter", "Large type for a lecture hall."}});
  parser.process(application);
  Arguments arguments;
  if (parser.positionalArguments().size() > 1) refuse("expected one run, found more; see --help");
  arguments.run = parser.positionalArguments().value(0);
  arguments.presenter = parser.isSet("presenter");
  arguments.store = parser.value("store");
  if (parser.isSet("store") && (arguments.store.isEmpty() || parser.isSet("screenshot")))
    refuse("--store: expected a file, and no --screenshot, which makes a store of its own");
  if (parser.isSet("theme")) {
    const QString theme = parser.value("theme");
    if (theme != "light" && theme != "dark") refuse("--theme: expected light or dark, found " + theme);
    arguments.theme = theme == "dark" ? ui::Theme::Mode::dark : ui::Theme::Mode::light;
  }
  if (parser.isSet("screenshot")) {
    ScreenshotRequest request{.folder = parser.value("screenshot")};
    if (parser.isSet("size")) {
      const QStringList sides = parser.value("size").split('x');
      request.size = sides.size() == 2 ? QSize(sides[0].toInt(), sides[1].toInt()) : QSize();
      if (request.size.width() < 640 || request.size.height() < 400 || request.size.width() > 10000 ||
          request.size.height() > 10000)
        refuse("--size: expected WxH of at least 640x400, found " + parser.value("size"));
    }
    if (parser.isSet("steps")) {
      bool whole = false;
      request.steps = parser.value("steps").toInt(&whole);
      if (!whole || request.steps < 1)
        refuse("--steps: expected a number of at least 1, found " + parser.value("steps"));
    }
    arguments.screenshot = request;
  } else if (parser.isSet("size") || parser.isSet("steps")) {
    refuse("--size and --steps belong to --screenshot");
  }
  return arguments;
}

/// The newest run that was stopped before its target.
std::optional<RunSummary> unfinished(const RunStore& store) {
  std::optional<RunSummary> newest;
  for (const RunSummary& run : store.runs()) {
    const bool stopped = run.state == RunSummary::State::interrupted || run.state == RunSummary::State::paused;
    if (stopped && run.steps > 0 && run.steps < run.targetSteps && (!newest || run.id > newest->id)) newest = run;
  }
  return newest;
}

/// Starts a small model at once, so that the yard moves; offers to go on with what was left unfinished.
void begin(TrainingSession& session, ui::SessionBridge& bridge, ui::Notices& notices, QObject& window) {
  // Asked of the store before the new run is in it; the answer comes back to the window's thread.
  session.withStore([&](RunStore& store) {
    const std::optional<RunSummary> left = unfinished(store);
    if (!left) return;
    QMetaObject::invokeMethod(
        &window,
        [&bridge, &notices, run = *left] {
          notices.show(ui::Notices::Kind::note,
                       QObject::tr("\"%1\" was left at step %2 of %3. It can go on where it was.")
                           .arg(ui::shown(run.name), ui::grouped(run.steps), ui::grouped(run.targetSteps)),
                       {{QObject::tr("Continue it"),
                         [&bridge, id = run.id] { bridge.post(command::Open{.run = id, .paused = false}); }}},
                       "unfinished");
        },
        Qt::QueuedConnection);
  });
  bridge.post(command::Start{.config = runConfigOfPreset(firstPreset().id)});
}

void openRun(const QString& name, TrainingSession& session, ui::SessionBridge& bridge, ui::Notices& notices,
             QObject& window) {
  bool number = false;
  const RunId id = name.toLongLong(&number);
  session.withStore([&, id, number, name = name.toStdString()](RunStore& store) {
    RunId found = 0;
    for (const RunSummary& run : store.runs())
      if (number ? run.id == id : run.name == name) found = run.id;
    QMetaObject::invokeMethod(
        &window,
        [&bridge, &notices, found, name] {
          if (found != 0) return bridge.post(command::Open{.run = found, .paused = true});
          notices.show(ui::Notices::Kind::problem,
                       QObject::tr("There is no run \"%1\" in the store.").arg(ui::shown(name)));
        },
        Qt::QueuedConnection);
  });
}

}  // namespace

int main(int argc, char** argv) {
  moe::waitWithoutSpinning(argv);
  moe::requireThreads("switchyard", kThreads);
  moe::EndingSignals ending;      // before Qt begins a thread
  std::signal(SIGXFSZ, SIG_IGN);  // a file past its size limit is a failed write with a sentence, not the end
  QApplication::setOrganizationName("switchyard");
  QApplication::setApplicationName("switchyard");
  QApplication::setApplicationDisplayName("Switchyard");
  QApplication::setApplicationVersion(SWITCHYARD_VERSION);
  QApplication::setDesktopFileName("switchyard");
  if (anyOf(argc, argv, {"-h", "--help", "-v", "--version"}))
    parse(QCoreApplication(argc, argv));  // says it and ends, display or none
  requireDisplay(argc, argv);
  QApplication application(argc, argv);
  QApplication::setWindowIcon(ui::programIcon());
  const Arguments arguments = parse(application);

  // Pictures are taken of a fresh program: an empty store, the standard layout.
  QTemporaryDir fresh;
  const std::filesystem::path store =
      arguments.screenshot        ? std::filesystem::path(fresh.filePath("runs.db").toStdString())
      : arguments.store.isEmpty() ? defaultStorePath()
                                  : std::filesystem::absolute(arguments.store.toStdString());
  QSettings settings(arguments.screenshot ? fresh.filePath("window.ini") : QSettings().fileName(),
                     arguments.screenshot ? QSettings::IniFormat : QSettings::NativeFormat);
  ui::Theme theme;
  theme.setMode(arguments.theme.value_or(
      static_cast<ui::Theme::Mode>(std::clamp(settings.value("window/theme", 0).toInt(), 0, 2))));
  theme.setPresenter(arguments.presenter || settings.value("window/presenter").toBool());

  TrainingSession session({.store = store, .fluid = settings.value("fluid", true).toBool()});
  ui::SessionBridge bridge(ui::portOf(session));
  ui::RunHistory history(bridge);
  ui::RunLibrary library([&session](StoreThread::Work work, StoreThread::Failed failed) {
    session.withStore(std::move(work), std::move(failed));
  });
  ui::Selection selection;
  ui::TimeAxis time;
  ui::Notices notices(theme);
  ui::MainWindow window({bridge, history, library, selection, theme, time, notices, settings, store});
  if (arguments.screenshot) {
    takeScreenshots(*arguments.screenshot, window, bridge, selection);
  } else {
    window.show();
    if (arguments.run.isEmpty())
      begin(session, bridge, notices, window);
    else
      openRun(arguments.run, session, bridge, notices, window);
  }
  // Asked to end from outside, the window closes as Quit does it, and with it any dialog; the step is finished and saved.
  ending.endGently([&window] {
    QMetaObject::invokeMethod(
        &window,
        [&window] {
          window.close();
          QApplication::exit();
        },
        Qt::QueuedConnection);
  });
  QString next;  // the store to begin anew with
  QObject::connect(&window, &ui::MainWindow::storeChosen, &window, [&](const QString& file) {
    next = file;
    window.close();
    QApplication::exit();
  });
  const int code = QApplication::exec();
  ending.endGently();  // the window is about to go
  // It opens its own; what this one holds is saved as it goes.
  if (!next.isEmpty()) QProcess::startDetached(QApplication::applicationFilePath(), {"--store", next});
  return code;
}
