#pragma once
#include <QString>
#include <vector>

#include "core/telemetry/points.h"

namespace moe::ui {

/// "balance coefficient" of "balance.0.coefficient", "k" of "select.k": the shortest name that still says what it is.
QString shortName(const std::string& path);
/// "balance coefficient 0 → 0.01"
QString knobText(const RunEvent& event);

/// Whether an event changed how the run goes on, and so is marked on every time axis.
bool isMarked(const RunEvent& event);
/// The label of its mark.
QString markLabel(const RunEvent& event);
/// One sentence for lists: the event's own text where it has one.
QString sentenceOf(const RunEvent& event);

/// From the raising of an alert to its clearing; `to` is -1 while it stands.
struct AlertSpan {
  int layer = 0, expert = 0;
  std::int64_t from = 0, to = -1;
  bool operator==(const AlertSpan&) const = default;
};
std::vector<AlertSpan> alertSpans(const std::vector<RunEvent>& events);

}  // namespace moe::ui
