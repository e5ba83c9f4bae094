#pragma once
#include <QWidget>
#include <memory>

#include "core/session/stored_runs.h"
#include "ui/views/page_context.h"

class QPlainTextEdit;
class QTabWidget;
class QTreeWidget;

namespace moe::ui {

class EmptyHint;

/// What is kept of one stored run: its configuration, what happened to it, and its checkpoints.
class RunDetails : public QWidget {
  Q_OBJECT

 public:
  explicit RunDetails(const PageContext& context, QWidget* parent = nullptr);

  /// Null: no run is chosen.
  void show(std::shared_ptr<const StoredRun> run);

 private:
  void fillEvents();
  void fillCheckpoints();

  PageContext context_;
  std::shared_ptr<const StoredRun> run_;
  QTabWidget* tabs_;
  QTreeWidget *events_, *checkpoints_;
  QPlainTextEdit* configuration_;
  EmptyHint* hint_;
};

}  // namespace moe::ui
