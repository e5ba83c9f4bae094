#pragma once
#include <QFrame>
#include <functional>
#include <memory>
#include <vector>

#include "core/explain/explanation.h"
#include "ui/models/selection.h"
#include "ui/widgets/figure.h"

class QMenu;
class QScrollArea;

namespace moe::ui {

class RunColumns;
class Theme;
class TimeAxis;
class EmptyHint;
class HeatmapCanvas;
struct PlotMark;

/// Steps in which an expert stands out: an alert, from its raising to its clearing.
struct ExpertSpan {
  int layer = 0, expert = 0;  // layer: index in the model's list of layers
  std::int64_t from = 0, to = 0;
  bool standing = false;  // still so: the row carries the word
};

/// The yard: the load of every expert in every layer over the steps, as a multiple of its fair share. Value on hover and
/// at the keyboard's cursor, in the line above; the cursor is the selection.
class ExpertHeatmap : public QFrame, public Figure {
  Q_OBJECT

 public:
  ExpertHeatmap(Theme& theme, TimeAxis& time, Selection& selection, QWidget* parent = nullptr);
  ~ExpertHeatmap() override;

  /// Null: nothing to show. Must stay alive until another is set.
  void setRun(RunId run, const RunColumns* columns);
  /// The largest load there can be, as a multiple of the fair share: E / k.
  void setMost(double most);
  void setSpans(std::vector<ExpertSpan> spans);
  void setMarks(std::vector<PlotMark> marks);
  void setHint(const QString& sentence);
  /// Said on the picture wherever it goes ("sees later tokens"); empty: nothing.
  void setCaution(const QString& words);
  QString caution() const { return caution_; }
  /// Answers how the load of an expert at a step came about.
  void setSource(std::function<std::vector<Explanation>(int layer, int expert, std::int64_t step)> source) {
    source_ = std::move(source);
  }
  /// Opens that for what the readout speaks of.
  void explain();
  /// There is new data.
  void refresh();

  /// The line that says the value under the pointer, at the cursor, or the extremes of the newest step.
  QString readout() const;
  /// Colour of the cell at a step as painted; its upper half shows the highest load of the steps that share the column.
  QColor colourAt(int layer, int expert, std::int64_t step) const;

  QString figureTitle() const override;
  QSize figureSize() const override;
  void paintFigure(QPaintDevice& device, QSize size, bool vector) override;
  QSize minimumSizeHint() const override;
  QSize sizeHint() const override;

 Q_SIGNALS:
  /// A menu is about to open for an expert's row: whoever can act on experts adds to it.
  void menuOpens(QMenu* menu, int layer, int expert);

 protected:
  void contextMenuEvent(QContextMenuEvent* event) override;
  void paintEvent(QPaintEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;
  void mouseReleaseEvent(QMouseEvent* event) override;

 private:
  void dress();
  void showReadout();
  void paintHeader(QPainter& painter, const QRect& rect) const;
  int headerHeight() const;

  Theme& theme_;
  Selection& selection_;
  QScrollArea* scroll_;
  HeatmapCanvas* canvas_;
  EmptyHint* hint_;
  QString caution_;
  std::function<std::vector<Explanation>(int, int, std::int64_t)> source_;
};

}  // namespace moe::ui
