#pragma once
#include <QRect>
#include <optional>
#include <vector>

namespace moe::ui {

/// Where everything of the heatmap stands; a value, so that it is tested without painting. Rows are experts, grouped by
/// layer from the top; columns are steps from left to right.
struct HeatmapGeometry {
  struct Group {
    int experts = 0;
    int top = 0;  // px
  };
  struct Cell {
    int group = 0, expert = 0;
    bool operator==(const Cell&) const = default;
  };
  struct Margins {
    int left = 60, right = 60, top = 4, bottom = 20;  // px: row labels, words beside rows, marks, step axis
    int gap = 6;                                      // between layers
    int leastRow = 3;                                 // px
  };

  std::vector<Group> groups;
  int rowHeight = 0;
  QRect cells;           // of all groups
  int neededHeight = 0;  // of the canvas, so that every row has its least height

  static HeatmapGeometry of(const std::vector<int>& expertsPerGroup, QSize canvas, const Margins& margins);

  QRect row(const Cell& cell) const;
  QRect group(int index) const;
  /// The row at a height, none between groups.
  std::optional<Cell> at(int y) const;
  /// The rows above and below, stepping over the gaps; itself at the ends.
  Cell next(const Cell& cell, int rows) const;
  /// Every which expert is labelled, so that words of `textHeight` do not touch.
  int labelEvery(int textHeight) const;

  double xOf(double step, double first, double last) const;
  double stepAt(double x, double first, double last) const;
};

}  // namespace moe::ui
