#pragma once
#include <QWidget>
#include <optional>
#include <vector>

#include "ui/models/run_columns.h"
#include "ui/models/selection.h"
#include "ui/widgets/expert_heatmap.h"
#include "ui/widgets/heatmap_geometry.h"
#include "ui/widgets/load_image.h"
#include "ui/widgets/plot.h"

class QTimer;

namespace moe::ui {

/// The cells, row labels, outlines and step axis of the heatmap; the part that scrolls. Works out what is under the pointer
/// and the keyboard's cursor.
class HeatmapCanvas : public QWidget {
  Q_OBJECT

 public:
  /// One cell with its column's values.
  struct Spot {
    int layer = 0, expert = 0;                 // layer: index in the model's list of layers
    std::int64_t firstStep = 0, lastStep = 0;  // of the column
    double low = 0, high = 0;                  // load / fair share
  };

  HeatmapCanvas(Theme& theme, TimeAxis& time, Selection& selection, QWidget* parent);

  void setRun(RunId run, const RunColumns* columns);
  void setMost(double most);
  void setSpans(std::vector<ExpertSpan> spans);
  void setMarks(std::vector<PlotMark> marks);
  void refresh();
  void dress();

  const RunColumns* columns() const { return columns_; }
  double most() const { return most_; }
  /// What the readout speaks of: under the pointer, else at the selection. None: neither.
  std::optional<Spot> spot() const;
  std::optional<Spot> spotAt(const HeatmapGeometry::Cell& cell, std::int64_t step) const;
  /// Layer and expert of the row at a height of this widget.
  std::optional<std::pair<int, int>> expertAt(int y) const;
  HeatmapGeometry geometryFor(QSize size) const;
  /// Paints all at a size, also on another device.
  void paintAll(QPainter& painter, QSize size);
  const LoadImage& image(int group) const { return images_[static_cast<std::size_t>(group)]; }
  /// Index of the layer among the expert layers; none where it has no experts.
  std::optional<int> groupOf(int layer) const;

 Q_SIGNALS:
  void spotChanged();

 protected:
  bool event(QEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mouseMoveEvent(QMouseEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void wheelEvent(QWheelEvent* event) override;
  void leaveEvent(QEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;

 private:
  HeatmapGeometry::Margins margins() const;
  void paintCells(QPainter& painter, const HeatmapGeometry& g);
  void paintLabels(QPainter& painter, const HeatmapGeometry& g) const;
  void paintSpans(QPainter& painter, const HeatmapGeometry& g) const;
  void paintMarks(QPainter& painter, const HeatmapGeometry& g) const;
  void paintSelection(QPainter& painter, const HeatmapGeometry& g) const;
  void paintAxis(QPainter& painter, const HeatmapGeometry& g) const;
  void select(const QPoint& at);
  void moveCursor(int rows, int steps);
  void fitHeight();

  Theme& theme_;
  TimeAxis& time_;
  Selection& selection_;
  RunId run_ = 0;
  const RunColumns* columns_ = nullptr;
  int revision_ = 0;  // of the columns, when the pictures were made
  double most_ = 8;
  std::vector<ExpertSpan> spans_;
  std::vector<PlotMark> marks_;
  std::vector<QRgb> colours_;
  std::vector<LoadImage> images_;  // one a group
  std::optional<QPoint> pointer_;
  std::optional<QPoint> pressed_;
  bool dragging_ = false;
  QTimer* timer_;
};

}  // namespace moe::ui
