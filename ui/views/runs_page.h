#pragma once
#include <QWidget>
#include <memory>
#include <vector>

#include "core/session/stored_runs.h"
#include "ui/models/run_columns.h"
#include "ui/views/page_context.h"

class QComboBox;
class QLabel;
class QSplitter;

namespace moe::ui {

class EmptyHint;
class Plot;
class PlotGrid;
class RunDetails;
class RunsTable;
class TimeAxis;

/// Every run that was ever trained: listed, opened, compared by laying ticked runs' curves over one another.
class RunsPage : public QWidget {
  Q_OBJECT

 public:
  explicit RunsPage(const PageContext& context, QWidget* parent = nullptr);

  RunsTable& table() const { return *table_; }

 protected:
  void showEvent(QShowEvent* event) override;

 private:
  struct Panel {
    Plot* plot;
    Metric metric;
  };
  void addPlot(Metric metric);
  void tick(RunId run, bool on);
  void showRead(std::shared_ptr<const StoredRun> run);
  void showCurves();
  void fillLayers();

  PageContext context_;
  TimeAxis* time_;  // of this page: stored runs are as long as they are
  RunsTable* table_;
  RunDetails* details_;
  PlotGrid* grid_;
  EmptyHint* hint_;
  QLabel* layerWords_;
  QComboBox* layer_;  // of the curves that are one a layer
  std::vector<Panel> panels_;
  std::vector<RunId> wanted_;  // ticked, and on their way from the store
};

QWidget* makeRunsPage(const PageContext& context, QWidget* parent);

}  // namespace moe::ui
