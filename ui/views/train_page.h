#pragma once
#include <QWidget>
#include <vector>

#include "ui/models/run_columns.h"
#include "ui/models/run_history.h"
#include "ui/views/page_context.h"

class QSplitter;

namespace moe::ui {

class ExpertHeatmap;
class Plot;
class PlotGrid;

/// The yard and its curves: how the experts share the work, and whether the model learns.
class TrainPage : public QWidget {
  Q_OBJECT

 public:
  explicit TrainPage(const PageContext& context, QWidget* parent = nullptr);

  ExpertHeatmap& heatmap() const { return *heatmap_; }
  /// The plot that shows a metric; null where none does.
  Plot* plot(Metric metric) const;

 private:
  struct Panel {
    Plot* plot;
    std::vector<Metric> metrics;
  };
  void addPlot(std::vector<Metric> metrics, const QString& title = {});
  void showRuns();
  void showCaution();
  void showData();
  void showEvents();
  void showSelection();
  void follow(const SessionStatus& status);
  void dress();

  PageContext context_;
  ExpertHeatmap* heatmap_;
  PlotGrid* grid_;
  QSplitter* splitter_;
  std::vector<Panel> panels_;
  std::size_t layersShown_ = 0;  // of the main run, when the curves were set up
};

QWidget* makeTrainPage(const PageContext& context, QWidget* parent);

}  // namespace moe::ui
