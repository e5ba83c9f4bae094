#pragma once
#include <QFrame>
#include <functional>
#include <vector>

#include "core/explain/explanation.h"
#include "ui/widgets/figure.h"

namespace moe::ui {

class Theme;

/// A table of shares as coloured cells, each with its number where there is room, and the colour's scale above. Arrow
/// keys walk, Enter says how the cell came about.
class ShareMatrix : public QFrame, public Figure {
  Q_OBJECT

 public:
  struct Content {
    QStringList rows, columns;
    std::vector<float> values;  // (rows, columns) shares 0..1; NaN: nothing to show
    std::vector<float> even;    // (rows) the share at which nothing is special; empty: colours show the share itself
    double most = 1;            // of share / even, or of the share: the end of the scale
    QString scale, shortScale;  // what the colour means: "share of the row's tokens"; where there is little room
    bool operator==(const Content&) const = default;
  };

  ShareMatrix(Theme& theme, const QString& title, QWidget* parent = nullptr);

  void setContent(Content content);
  const Content& content() const { return content_; }
  /// What the empty table says.
  void setHint(const QString& sentence);
  /// Said on the picture wherever it goes; empty: nothing.
  void setCaution(const QString& words);
  QString caution() const { return caution_; }
  /// Answers how a cell came about.
  void setSource(std::function<Explanation(int row, int column)> source) { source_ = std::move(source); }

  void choose(int row, int column);
  /// The line that says the chosen cell's value; empty: none is chosen.
  QString readout() const;
  QColor colourAt(int row, int column) const;

  QString figureTitle() const override;
  QSize figureSize() const override;
  void paintFigure(QPaintDevice& device, QSize size, bool vector) override;
  QSize minimumSizeHint() const override;
  QSize sizeHint() const override;

 Q_SIGNALS:
  void columnChosen(int column);

 protected:
  void paintEvent(QPaintEvent* event) override;
  void keyPressEvent(QKeyEvent* event) override;
  void mousePressEvent(QMouseEvent* event) override;
  void mouseDoubleClickEvent(QMouseEvent* event) override;
  void contextMenuEvent(QContextMenuEvent* event) override;

 private:
  float valueAt(int row, int column) const;
  QRect cells(QSize size) const;  // the area of all cells
  QRect cell(QSize size, int row, int column) const;
  void paint(QPainter& painter, QSize size) const;
  void paintHeader(QPainter& painter, QSize size) const;
  void paintLegend(QPainter& painter, const QRect& bar) const;
  void explain();
  int rows() const { return static_cast<int>(content_.rows.size()); }
  int columns() const { return static_cast<int>(content_.columns.size()); }

  Theme& theme_;
  QString title_, hint_, caution_;
  Content content_;
  std::function<Explanation(int, int)> source_;
  int row_ = -1, column_ = -1;
};

}  // namespace moe::ui
