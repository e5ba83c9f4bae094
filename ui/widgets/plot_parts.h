#pragma once
// QCustomPlot's header speaks Qt's keywords, which this project switches off.
#define signals Q_SIGNALS
#define slots Q_SLOTS
#define foreach Q_FOREACH
#include <qcustomplot.h>
#undef signals
#undef slots
#undef foreach

#include <vector>

#include "ui/widgets/plot.h"

namespace moe::ui {

/// Ticks at whole steps, as the heatmap has them.
class StepTicker : public QCPAxisTicker {
 public:
  int most = 5;

 protected:
  QVector<double> createTickVector(double tickStep, const QCPRange& range) override;
  QVector<double> createSubTickVector(int, const QVector<double>&) override { return {}; }
  QString getTickLabel(double tick, const QLocale&, QChar, int) override;
};

/// Values on the axis of values: as many as fit, short numbers.
class ValueTicker : public QCPAxisTicker {
 protected:
  QVector<double> createSubTickVector(int, const QVector<double>&) override { return {}; }
  QString getTickLabel(double tick, const QLocale&, QChar, int) override;
};

/// The vertical lines: events with their labels, and the cursor.
class PlotMarks : public QCPLayerable {
 public:
  explicit PlotMarks(QCustomPlot* plot) : QCPLayerable(plot, "overlay") {}
  std::vector<PlotMark> marks;  // in order of step
  double cursor = -1;
  QColor cursorColour, ground;  // ground: behind the labels
  QFont font;
  mutable QStringList shown;    // labels that found room, at the last drawing

 protected:
  QRect clipRect() const override { return mParentPlot->axisRect()->rect(); }
  void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(false); }
  void draw(QCPPainter* painter) override;
};

/// Title and unit, below it a coloured name and value for each series that has one; what finds no room is left out.
struct PlotHeader {
  struct Entry {
    QString text;
    QColor colour;
    Qt::PenStyle pen = Qt::SolidLine;
  };
  QString title, unit, caution;
  std::vector<Entry> entries;
  QFont font;
  QColor text, muted, warning;

  int height() const;
  /// Index of the entry drawn at a point; -1: none.
  int entryAt(const QRect& rect, const QPoint& point) const;
  void paint(QPainter& painter, const QRect& rect) const;
};

}  // namespace moe::ui
