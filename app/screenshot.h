#pragma once
#include <QSize>
#include <QString>

namespace moe::ui {
class MainWindow;
class Selection;
class SessionBridge;
}  // namespace moe::ui

namespace moe {

struct ScreenshotRequest {
  QString folder;
  QSize size{1280, 800};
  int steps = 150;
};

/// Trains the steps asked for, saves one PNG a page and leaves the event loop with the exit code. The window and all it
/// stands on must outlive the loop.
void takeScreenshots(const ScreenshotRequest& request, ui::MainWindow& window, ui::SessionBridge& session,
                     ui::Selection& selection);

}  // namespace moe
