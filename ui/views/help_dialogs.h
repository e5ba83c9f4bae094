#pragma once
#include <QList>

class QAction;
class QWidget;

namespace moe::ui {

/// Every action with a shortcut, and the keys of the heatmap and plots.
void showShortcuts(const QList<QAction*>& actions, QWidget* parent);
/// Version, what the program is, and the licences of what it stands on.
void showAbout(QWidget* parent);

}  // namespace moe::ui
