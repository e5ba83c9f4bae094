#pragma once
#include <QWidget>
#include <vector>

#include "ui/models/run_history.h"
#include "ui/views/page_context.h"

class QComboBox;
class QLabel;

namespace moe {
struct SessionStatus;
}

namespace moe::ui {

class Plot;
class PlotGrid;
class ShareMatrix;

/// What does every expert take, with whom, and does it last? The run's studies: the same held-out text at each validation.
class ExpertsPage : public QWidget {
  Q_OBJECT

 public:
  explicit ExpertsPage(const PageContext& context, QWidget* parent = nullptr);

  ShareMatrix& domains() const { return *domains_; }
  ShareMatrix& coactivation() const { return *coactivation_; }
  /// The plot that shows a quantity; null where none does.
  Plot* plot(StudyQuantity quantity) const;
  Plot* plot(Metric metric) const;
  QString caption() const;

 private:
  Plot* addPlot(const QString& title, const QString& unit, const QString& tip, std::vector<StudyQuantity> quantities);
  void addPanel(Plot* plot, std::vector<StudyQuantity> quantities, std::vector<Metric> metrics);
  void fillLayers();
  void showStudy();
  void showCurves();
  void showPoints();
  void follow(const SessionStatus& status);
  void showSelection();
  void dress();
  /// The study at the selected step, or the newest; null: none yet.
  const RunStudy* study() const;
  std::size_t layer() const;

  struct Panel {
    Plot* plot;
    std::vector<StudyQuantity> quantities;
    std::vector<Metric> metrics;
  };
  PageContext context_;
  QLabel* caption_;
  QComboBox* layer_;
  ShareMatrix *domains_, *coactivation_;
  PlotGrid* grid_;
  std::vector<Panel> panels_;
  std::size_t layersShown_ = 0;  // of the main run, when the curves were set up
};

QWidget* makeExpertsPage(const PageContext& context, QWidget* parent);

}  // namespace moe::ui
