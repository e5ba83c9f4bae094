#pragma once
#include <QDialog>
#include <memory>

#include "core/session/stored_runs.h"
#include "core/train/run_config.h"
#include "ui/views/page_context.h"

class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QPushButton;
class QSpinBox;

namespace moe::ui {

/// Whether experts can be grown out of this run: nothing in it is routed, and it has a checkpoint.
bool canGrow(const ListedRun& run);

/// Asks how experts are made of a dense run's networks, and starts the new run.
class GrowDialog : public QDialog {
  Q_OBJECT

 public:
  /// `dense` has a checkpoint; its newest is what the experts grow out of.
  GrowDialog(const PageContext& context, std::shared_ptr<const StoredRun> dense, QWidget* parent = nullptr);

 private:
  void fillRecipes();
  /// The chosen recipe's own numbers.
  void takeRecipe();
  RunConfig wanted() const;
  void check();
  void start();

  PageContext context_;
  std::shared_ptr<const StoredRun> run_;
  RunConfig dense_;
  CheckpointRow checkpoint_;
  std::vector<RunConfig> recipes_;  // in the order of the list
  QComboBox *recipe_, *kind_;
  QSpinBox *experts_, *perToken_, *steps_;
  QDoubleSpinBox* noise_;
  QLabel* words_;
  QPushButton* start_;
};

}  // namespace moe::ui
