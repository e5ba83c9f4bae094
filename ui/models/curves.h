#pragma once
#include "ui/models/run_columns.h"

namespace moe::ui {

/// Points (x step, y value) of a metric over the steps [first, last], with at most about two points a column: each column's
/// lowest and highest value, so that no spike is lost. Steps without a value are left out.
void curveOf(std::vector<double>& x, std::vector<double>& y, const RunColumns& run, Metric metric, std::size_t layer,
             double first, double last, int columns);

}  // namespace moe::ui
