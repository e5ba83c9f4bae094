#pragma once
#include <QWidget>
#include <memory>
#include <optional>

#include "core/session/stored_runs.h"
#include "ui/views/page_context.h"

class QAction;
class QLabel;
class QLineEdit;
class QMenu;
class QSortFilterProxyModel;
class QTableView;

namespace moe::ui {

class RunsModel;

/// Every stored run, with what can be done to the chosen one: open, tick for the curves, rename, note, delete, export,
/// grow into experts.
class RunsTable : public QWidget {
  Q_OBJECT

 public:
  explicit RunsTable(const PageContext& context, QWidget* parent = nullptr);

  /// A copy, since the list is read anew while a dialog or a question stands open; nothing where no row is chosen.
  std::optional<ListedRun> chosen() const;
  void choose(RunId run);
  /// Lays the run's curves over the others'.
  void tick(RunId run);
  void showRuns(const std::vector<ListedRun>& runs);
  /// Opens how the number of the current cell came about; false: it holds none.
  bool explainCell();
  QTableView& view() const { return *table_; }

 Q_SIGNALS:
  void chosenChanged();
  void ticked(moe::RunId run, bool on);

 protected:
  void keyPressEvent(QKeyEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  QAction* action(const QString& text, const QString& tip, void (RunsTable::*act)());
  void enableActions();
  void makeColumnsMenu();
  /// Shows the columns that were chosen, or as many as there is room for.
  void fitColumns();
  void openChosen();
  void exportChosen();
  void deleteChosen();
  void growChosen();
  void showGrowing(std::shared_ptr<const StoredRun> run);
  void copyTable();

  PageContext context_;
  RunsModel* model_;
  QSortFilterProxyModel* sorted_;
  QTableView* table_;
  QLineEdit* filter_;
  QLabel* summary_;
  std::vector<QAction*> needsRun_;
  QAction* grow_ = nullptr;
  QMenu* columns_ = nullptr;  // which are shown
  RunId pressed_ = 0;         // chosen when the mouse went down: a click on its numbers explains them
  RunId growing_ = 0;         // on its way from the store, to be grown into experts
};

}  // namespace moe::ui
