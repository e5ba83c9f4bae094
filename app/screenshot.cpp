#include "app/screenshot.h"

#include <QCoreApplication>
#include <QDir>
#include <QPixmap>
#include <QTimer>
#include <iostream>
#include <memory>

#include "ui/models/selection.h"
#include "ui/session/session_bridge.h"
#include "ui/views/main_window.h"
#include "ui/views/runs_page.h"
#include "ui/views/runs_table.h"

namespace moe {

namespace {

constexpr int kSettle = 1500;  // ms for a page to ask the worker and to be drawn
constexpr int kToken = 10;     // of the text on the Inspect page: past its first word

struct Pictured {
  ui::SessionBridge& session;
  ui::Selection& selection;
};

void fail(const QString& sentence) {
  std::cerr << sentence.toStdString() << '\n';
  QCoreApplication::exit(1);
}

void savePage(const ScreenshotRequest& request, ui::MainWindow& window, const Pictured& pictured, int index) {
  const QStringList ids = window.pageIds();
  if (index >= ids.size()) return QCoreApplication::exit(0);
  window.showPage(ids[index]);
  // Something is chosen on every page, so that the picture shows what the page does.
  QTimer::singleShot(kSettle, &window, [request, &window, pictured, ids, index] {
    pictured.selection.setToken(kToken);
    if (auto* runs = qobject_cast<ui::RunsPage*>(window.pageWidget(ids[index]))) {
      runs->table().choose(pictured.session.status().run);
      runs->table().tick(pictured.session.status().run);
    }
    QTimer::singleShot(kSettle, &window, [request, &window, pictured, ids, index] {
      const QString file = QDir(request.folder).filePath(ids[index] + ".png");
      if (!window.grab().save(file)) return fail(QObject::tr("The picture %1 could not be written.").arg(file));
      std::cout << file.toStdString() << '\n';
      savePage(request, window, pictured, index + 1);
    });
  });
}

}  // namespace

void takeScreenshots(const ScreenshotRequest& request, ui::MainWindow& window, ui::SessionBridge& session,
                     ui::Selection& selection) {
  if (!QDir().mkpath(request.folder)) {
    QTimer::singleShot(0, &window,
                       [request] { fail(QObject::tr("The folder %1 could not be made.").arg(request.folder)); });
    return;
  }
  window.resize(request.size);
  window.show();
  RunConfig config = runConfigOfPreset(firstPreset().id);
  session.post(command::Start{.config = std::move(config), .parent = 0, .parentStep = 0, .paused = true});
  for (int i = 0; i < request.steps; ++i) session.post(command::StepOnce{});
  auto once = std::make_shared<bool>(false);
  QObject::connect(&session, &ui::SessionBridge::statusChanged, &window,
                   [request, &window, &session, &selection, once](const SessionStatus& status) {
                     if (*once) return;
                     if (status.state == SessionStatus::State::failed)
                       *once = true, fail(QString::fromStdString(status.message));
                     if (status.step < request.steps && status.state != SessionStatus::State::finished) return;
                     *once = true;
                     savePage(request, window, {session, selection}, 0);
                   });
}

}  // namespace moe
