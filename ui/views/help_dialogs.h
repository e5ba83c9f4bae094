#pragma once
#include <QList>

class QAction;
class QString;
class QWidget;

namespace moe::ui {

/// Every action with a shortcut, and the keys of the heatmap and plots.
void showShortcuts(const QList<QAction*>& actions, QWidget* parent);
/// Version, what the program is, and the licences of what it stands on.
void showAbout(QWidget* parent);

/// A page of resources/help, by its file's name: "collapse.md".
void showHelpPage(const QString& title, const QString& file, QWidget* parent);

}  // namespace moe::ui
