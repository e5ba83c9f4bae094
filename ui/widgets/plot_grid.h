#pragma once
#include <QScrollArea>
#include <vector>

namespace moe::ui {

/// Plots in as many columns as their least width allows, and rows that fill the height with whole plots: none is cut at the
/// lower edge. What does not fit is scrolled to. Hidden ones take no room.
class PlotGrid : public QScrollArea {
  Q_OBJECT

 public:
  explicit PlotGrid(QWidget* parent = nullptr);
  void add(QWidget* plot);
  /// Shows or hides one; the others close up.
  void setShown(QWidget* plot, bool shown);
  void setGap(int gap);
  int columns() const { return columns_; }

  struct Arrangement {
    int columns = 1, rows = 1, rowHeight = 0;
  };
  /// How `count` plots of a least size stand in an area.
  static Arrangement arrange(int count, QSize area, QSize least, int gap);

 protected:
  void resizeEvent(QResizeEvent* event) override;
  bool eventFilter(QObject* watched, QEvent* event) override;

 private:
  void place();

  struct Entry {
    QWidget* plot;
    bool shown = true;
  };
  std::vector<Entry> entries_;
  QWidget* content_;
  int gap_ = 6, columns_ = 1;
};

}  // namespace moe::ui
