#pragma once
#include <QFrame>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/explain/explanation.h"
#include "ui/widgets/figure.h"

namespace moe::ui {

class Theme;
class TimeAxis;

/// Points of one curve, thinned to what the pixels can show.
struct Curve {
  std::vector<double> x, y;
};

struct PlotSeries {
  QString name;
  QColor colour;
  Qt::PenStyle pen = Qt::SolidLine;
  bool dots = false;  // few values (validation): a dot each
  /// Fills `curve` with the steps in [first, last], in at most about `columns` columns.
  std::function<void(Curve& curve, double first, double last, int columns)> curve;
  /// The value at a step, for the legend; none: absent.
  std::function<std::optional<double>(double step)> valueAt;
  /// How that value came about; absent: it cannot be asked.
  std::function<Explanation(double step)> explain = {};
};

/// A knob change or another event, drawn as a labelled tick.
struct PlotMark {
  std::int64_t step = 0;
  QString label;
  QColor colour;
};

/// Curves over the shared step axis (QCustomPlot, wrapped here and nowhere else). Wheel, drag and keys zoom and pan all
/// plots of the axis together; the legend shows the values at the cursor, or the newest.
class Plot : public QFrame, public Figure {
  Q_OBJECT

 public:
  Plot(Theme& theme, TimeAxis& time, const QString& title, const QString& unit, QWidget* parent = nullptr);
  ~Plot() override;

  void setSeries(std::vector<PlotSeries> series);
  void setMarks(std::vector<PlotMark> marks);
  /// Step of the vertical line; -1: none, the legend shows the newest values.
  void setCursor(std::int64_t step);
  /// What the empty plot says.
  void setHint(const QString& sentence);
  /// Keeps the value axis from starting above `lowest` or ending below `highest`.
  void setLeastRange(std::optional<double> lowest, std::optional<double> highest);
  void setFormat(QString (*format)(double));
  /// Said on the picture wherever it goes ("sees later tokens"); empty: nothing.
  void setCaution(const QString& words);
  QString caution() const;
  /// There is new data.
  void refresh();

  /// Names and values as the legend shows them, of the series that have any.
  QStringList legend() const;
  /// How the legend's numbers came about, in its order.
  std::vector<Explanation> explanations() const;
  /// Opens them at one of the legend's entries.
  void explain(int entry = 0);
  /// Labels of the marks that found room.
  QStringList shownMarks() const;
  /// Lowest and highest value of the axis, after the last drawing.
  std::pair<double, double> valueRange() const;

  QString figureTitle() const override;
  QSize figureSize() const override;
  void paintFigure(QPaintDevice& device, QSize size, bool vector) override;
  QSize sizeHint() const override;
  QSize minimumSizeHint() const override;

 Q_SIGNALS:
  /// The person chose a step; -1: none.
  void cursorMoved(std::int64_t step);

 protected:
  void keyPressEvent(QKeyEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;
  void showEvent(QShowEvent* event) override;
  void resizeEvent(QResizeEvent* event) override;

 private:
  void showMenu(const QPoint& at);
  struct Impl;
  void dress();
  void schedule();
  void draw();

  std::unique_ptr<Impl> impl_;
};

}  // namespace moe::ui
