#pragma once
// QCustomPlot's header speaks Qt's keywords, which this project switches off.
#define signals Q_SIGNALS
#define slots Q_SLOTS
#define foreach Q_FOREACH
#include <qcustomplot.h>
#include <map>
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
  mutable QStringList shown;  // labels that found room, at the last drawing

 protected:
  QRect clipRect() const override { return mParentPlot->axisRect()->rect(); }
  void applyDefaultAntialiasingHint(QCPPainter* painter) const override { painter->setAntialiasing(false); }
  void draw(QCPPainter* painter) override;
};

/// Title and unit, below it a coloured name and value for each series that has one: in a line, else in columns on two
/// lines, else as a strip of all colours between the first name and the last with the lowest and highest value, or on up
/// to four lines where the names are too long for that. The layout keeps the widest words there were, so that running
/// numbers move nothing.
struct PlotHeader {
  struct Entry {
    QString name, value;
    QColor colour;
    Qt::PenStyle pen = Qt::SolidLine;
    double number = 0;
    QString text() const { return name + ' ' + value; }
  };
  QString title, unit, caution;
  QFont font;
  QColor text, muted, warning;

  void setEntries(std::vector<Entry> entries);
  void forgetWidths() { widest_.clear(); }
  const std::vector<Entry>& entries() const { return entries_; }

  int height(int width) const;
  /// Index of the entry drawn at a point; -1: none.
  int entryAt(const QRect& rect, const QPoint& point) const;
  /// Whether there is no room for every value.
  bool isStrip(int width) const;
  void paint(QPainter& painter, const QRect& rect) const;

 private:
  /// px of a strip's names and values.
  int stripEnds() const;
  int widthOf(const Entry& entry) const;
  /// Lines of the legend; 0: a strip.
  int lines(int width) const;
  std::vector<QRect> places(const QRect& rect) const;
  void paintStrip(QPainter& painter, const QRect& rect) const;

  std::vector<Entry> entries_;
  std::map<QString, int> widest_;  // by name: px of the widest words since the series were set
};

}  // namespace moe::ui
