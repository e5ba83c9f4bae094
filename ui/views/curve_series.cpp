#include "ui/views/curve_series.h"

#include <QObject>

#include "ui/models/curves.h"
#include "ui/models/run_marks.h"
#include "ui/theme/theme.h"

namespace moe::ui {

namespace {

/// A run without a z term has a z loss of exactly 0 at every step: no curve.
bool absent(const RunColumns& run, Metric metric) {
  if (metric != Metric::zLoss || run.empty()) return false;
  const Pyramid& values = run.metric(metric);
  const int top = values.levelFor(0, values.size(), 1);
  return values.low(top, 0)[0] == 0 && values.high(top, 0)[0] == 0;
}

}  // namespace

PlotSeries seriesOf(const RunHistory& history, RunId run, Metric metric, std::size_t layer, const QString& name, const QColor& colour,
                    Qt::PenStyle pen) {
  PlotSeries series{.name = name, .colour = colour, .pen = pen, .dots = metric == Metric::validationLoss, .curve = {}, .valueAt = {}};
  series.curve = [&history, run, metric, layer](Curve& curve, double first, double last, int columns) {
    const RunHistory::Run* known = history.find(run);
    if (known && !absent(known->columns, metric)) curveOf(curve.x, curve.y, known->columns, metric, layer, first, last, columns);
  };
  series.valueAt = [&history, run, metric, layer](double step) -> std::optional<double> {
    const RunHistory::Run* known = history.find(run);
    const auto index = known && !absent(known->columns, metric) ? known->columns.indexAt(static_cast<std::int64_t>(step)) : std::nullopt;
    return index ? known->columns.valueAt(metric, layer, *index) : std::nullopt;
  };
  return series;
}

namespace {

QString nameOf(Metric metric) {
  switch (metric) {
    case Metric::loss: return QObject::tr("train");
    case Metric::validationLoss: return QObject::tr("validation");
    case Metric::auxLoss: return QObject::tr("aux");
    case Metric::zLoss: return QObject::tr("z");
    default: return QObject::tr("this run");
  }
}

QColor colourOf(const Theme& theme, Metric metric) {
  switch (metric) {
    case Metric::validationLoss: return theme.curve(Theme::Curve::validation);
    case Metric::auxLoss: return theme.curve(Theme::Curve::aux);
    case Metric::zLoss:
    case Metric::tokensPerSecond: return theme.curve(Theme::Curve::speed);
    default: return theme.curve(Theme::Curve::train);
  }
}

}  // namespace

std::vector<PlotSeries> seriesFor(const RunHistory& history, const Theme& theme, const std::vector<Metric>& metrics) {
  std::vector<PlotSeries> all;
  const RunId main = history.main();
  for (const Metric metric : metrics) {
    if (!isPerLayer(metric)) {
      all.push_back(seriesOf(history, main, metric, 0, nameOf(metric), colourOf(theme, metric)));
      continue;
    }
    const RunHistory::Run* run = history.mainRun();
    const std::size_t layers = run ? run->columns.layers().size() : 0;
    for (std::size_t l = 0; l < layers; ++l)
      all.push_back(seriesOf(history, main, metric, l, QString("L%1").arg(run->columns.layers()[l].layer),
                             theme.layer(static_cast<int>(l), static_cast<int>(layers))));
  }
  for (const Metric metric : metrics) {
    if (metric != Metric::loss && metric != Metric::validationLoss && metric != Metric::tokensPerSecond) continue;
    const bool validation = metric == Metric::validationLoss;
    if (history.twin() != 0)
      all.push_back(seriesOf(history, history.twin(), metric, 0, validation ? QObject::tr("dense val.") : QObject::tr("dense"),
                             theme.curve(validation ? Theme::Curve::twinValidation : Theme::Curve::twin), Qt::DashLine));
    int index = 0;
    for (const RunId overlay : history.overlays()) {
      if (overlay == main || overlay == history.twin()) continue;
      const RunHistory::Run* run = history.find(overlay);
      const QString name = run ? QString::fromStdString(run->summary.name) : QString();
      all.push_back(seriesOf(history, overlay, metric, 0, validation ? QObject::tr("%1 val.").arg(name) : name, theme.overlay(index++),
                             validation ? Qt::DotLine : Qt::DashDotLine));
    }
  }
  return all;
}

std::vector<PlotMark> marksOf(const RunHistory& history, const Theme& theme) {
  std::vector<PlotMark> marks;
  const RunHistory::Run* run = history.mainRun();
  if (!run) return marks;
  for (const RunEvent& event : run->events)
    if (isMarked(event))
      marks.push_back({event.step, markLabel(event), event.kind == RunEvent::Kind::notFinite ? theme.colours().danger : theme.colours().muted});
  return marks;
}

}  // namespace moe::ui
