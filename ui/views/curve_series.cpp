#include "ui/views/curve_series.h"

#include <QObject>
#include <cmath>

#include "ui/models/curves.h"
#include "ui/models/run_marks.h"
#include "ui/theme/theme.h"
#include "ui/widgets/format.h"

namespace moe::ui {

namespace {

/// A run without a z term has a z loss of exactly 0 at every step: no curve.
bool absent(const RunColumns& run, Metric metric) {
  if (metric != Metric::zLoss || run.empty()) return false;
  const Pyramid& values = run.metric(metric);
  const int top = values.levelFor(0, values.size(), 1);
  return values.low(top, 0)[0] == 0 && values.high(top, 0)[0] == 0;
}

Explanation explainMetric(const RunHistory::Run& run, Metric metric, std::size_t layer, double step) {
  const auto index = run.columns.indexAt(static_cast<std::int64_t>(step));
  if (!index) return {};
  const StepPoint point = run.columns.pointAt(*index);
  if (!isPerLayer(metric)) return explain(metric, point, run.facts);
  return layer < point.layers.size() ? explain(metric, point.layers[layer], point.step, run.facts) : Explanation{};
}

/// The study at or before a step.
std::optional<std::size_t> studyAt(const RunHistory::Run& run, double step) {
  std::optional<std::size_t> found;
  for (std::size_t i = 0; i < run.studies.size() && static_cast<double>(run.studies[i]->step) <= step; ++i) found = i;
  return found;
}

std::optional<double> studyValue(const RunHistory::Run& run, StudyQuantity quantity, std::size_t layer,
                                 std::size_t study) {
  const RunStudy& at = *run.studies[study];
  if (layer >= at.layers.size() || layer >= run.changes.size()) return std::nullopt;
  const LayerStudy& values = at.layers[layer];
  switch (quantity) {
    case StudyQuantity::saturation: return run.changes[layer][study].saturation;
    case StudyQuantity::churn: return run.changes[layer][study].churn;
    case StudyQuantity::maxVioGlobal:
      return std::isfinite(values.maxVioGlobal) ? std::optional<double>(values.maxVioGlobal) : std::nullopt;
    case StudyQuantity::inputSpecialisation: return values.inputSpecialisation;
    case StudyQuantity::nextSpecialisation: return values.nextSpecialisation;
    case StudyQuantity::predictedSpecialisation: return values.predictedSpecialisation;
  }
  return std::nullopt;
}

}  // namespace

PlotSeries studySeriesOf(const RunHistory& history, RunId run, StudyQuantity quantity, std::size_t layer,
                         const QString& name, const QColor& colour) {
  PlotSeries series{.name = name, .colour = colour, .dots = true, .curve = {}, .valueAt = {}};
  series.curve = [&history, run, quantity, layer](Curve& curve, double first, double last, int) {
    const RunHistory::Run* known = history.find(run);
    for (std::size_t i = 0; known && i < known->studies.size(); ++i) {
      const auto step = static_cast<double>(known->studies[i]->step);
      const auto value = studyValue(*known, quantity, layer, i);
      if (value && step >= first && step <= last) curve.x.push_back(step), curve.y.push_back(*value);
    }
  };
  series.valueAt = [&history, run, quantity, layer](double step) -> std::optional<double> {
    const RunHistory::Run* known = history.find(run);
    const auto study = known ? studyAt(*known, step) : std::nullopt;
    return study ? studyValue(*known, quantity, layer, *study) : std::nullopt;
  };
  series.explain = [&history, run, quantity, layer](double step) -> Explanation {
    const RunHistory::Run* known = history.find(run);
    const auto study = known ? studyAt(*known, step) : std::nullopt;
    if (!study || layer >= known->changes.size()) return {};
    return explain(quantity, *known->studies[*study], layer, known->changes[layer][*study],
                   known->studies.back()->step);
  };
  return series;
}

std::vector<PlotSeries> studySeriesFor(const RunHistory& history, const Theme& theme, StudyQuantity quantity) {
  std::vector<PlotSeries> all;
  const RunHistory::Run* run = history.mainRun();
  const std::size_t layers = run ? run->changes.size() : 0;
  for (std::size_t l = 0; l < layers; ++l)
    all.push_back(studySeriesOf(history, history.main(), quantity, l, layerShort(run->studies.back()->layers[l].layer),
                                theme.layer(static_cast<int>(l), static_cast<int>(layers))));
  return all;
}

QString cautionFor(const RunHistory& history, const std::vector<RunId>& runs) {
  for (const RunId run : runs)
    if (const RunHistory::Run* known = history.find(run); known && known->seesLaterTokens)
      return runs.size() == 1 ? QObject::tr("sees later tokens")
                              : QObject::tr("%1 sees later tokens").arg(shown(known->summary.name));
  return {};
}

PlotSeries seriesOf(const RunHistory& history, RunId run, Metric metric, std::size_t layer, const QString& name,
                    const QColor& colour, Qt::PenStyle pen) {
  PlotSeries series{
      .name = name, .colour = colour, .pen = pen, .dots = metric == Metric::validationLoss, .curve = {}, .valueAt = {}};
  series.curve = [&history, run, metric, layer](Curve& curve, double first, double last, int columns) {
    const RunHistory::Run* known = history.find(run);
    if (known && !absent(known->columns, metric))
      curveOf(curve.x, curve.y, known->columns, metric, layer, first, last, columns);
  };
  series.valueAt = [&history, run, metric, layer](double step) -> std::optional<double> {
    const RunHistory::Run* known = history.find(run);
    const auto index = known && !absent(known->columns, metric)
                           ? known->columns.indexAt(static_cast<std::int64_t>(step))
                           : std::nullopt;
    return index ? known->columns.valueAt(metric, layer, *index) : std::nullopt;
  };
  series.explain = [&history, run, metric, layer](double step) {
    const RunHistory::Run* known = history.find(run);
    return known ? explainMetric(*known, metric, layer, step) : Explanation{};
  };
  return series;
}

namespace {

QString words(std::string_view text) { return QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size())); }

QString nameOf(Metric metric) {
  const std::string_view legend = rowOf(metric).legend;
  return legend.empty() ? QObject::tr("this run") : words(legend);
}

QString (*formatOf(MetricForm form))(double) {
  switch (form) {
    case MetricForm::plain: return number;
    case MetricForm::decimals: return twoDecimals;
    case MetricForm::share: return percent;
    case MetricForm::count: return shortCount;
  }
  return number;
}

/// Nothing where the row says nothing.
std::optional<double> said(double bound) { return std::isnan(bound) ? std::nullopt : std::optional(bound); }

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

Plot* metricPlot(Theme& theme, TimeAxis& time, const std::vector<Metric>& metrics, const QString& title,
                 const QString& ofLayers) {
  const MetricRow& first = rowOf(metrics.front());
  QStringList unit, tips;
  if (!first.unit.empty()) unit << words(first.unit);
  if (first.scope == MetricScope::layer) unit << ofLayers;
  for (const Metric metric : metrics) {
    const MetricRow& row = rowOf(metric);
    const QString tip = words(row.meaning) + '\n' + words(row.formula);
    tips << (title.isEmpty() ? tip : words(row.name) + ": " + tip);
  }
  auto* plot = new Plot(theme, time, title.isEmpty() ? words(first.name) : title, unit.join(", "));
  plot->setToolTip(tips.join('\n'));
  plot->setFormat(formatOf(first.form));
  plot->setLeastRange(said(first.axisFrom), said(first.axisTo));
  return plot;
}

std::vector<PlotSeries> seriesFor(const RunHistory& history, const Theme& theme, const std::vector<Metric>& metrics) {
  std::vector<PlotSeries> all;
  const RunId main = history.main();
  for (const Metric metric : metrics) {
    if (!isPerLayer(metric)) {
      // More than two are steps of one quantity, such as percentiles, and have the colours of a scale.
      const QColor colour = metrics.size() > 2
                                ? theme.layer(static_cast<int>(all.size()), static_cast<int>(metrics.size()))
                                : colourOf(theme, metric);
      all.push_back(seriesOf(history, main, metric, 0, nameOf(metric), colour));
      continue;
    }
    const RunHistory::Run* run = history.mainRun();
    const std::size_t layers = run ? run->columns.layers().size() : 0;
    for (std::size_t l = 0; l < layers; ++l)
      all.push_back(seriesOf(history, main, metric, l, layerShort(run->columns.layers()[l].layer),
                             theme.layer(static_cast<int>(l), static_cast<int>(layers))));
  }
  for (const Metric metric : metrics) {
    if (metric != Metric::loss && metric != Metric::validationLoss && metric != Metric::tokensPerSecond) continue;
    const bool validation = metric == Metric::validationLoss;
    if (history.twin() != 0)
      all.push_back(
          seriesOf(history, history.twin(), metric, 0, validation ? QObject::tr("dense val.") : QObject::tr("dense"),
                   theme.curve(validation ? Theme::Curve::twinValidation : Theme::Curve::twin), Qt::DashLine));
    int index = 0;
    for (const RunId overlay : history.overlays()) {
      if (overlay == main || overlay == history.twin()) continue;
      const RunHistory::Run* run = history.find(overlay);
      const QString name = run ? shown(run->summary.name) : QString();
      all.push_back(seriesOf(history, overlay, metric, 0, validation ? QObject::tr("%1 val.").arg(name) : name,
                             theme.overlay(index++), validation ? Qt::DotLine : Qt::DashDotLine));
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
      marks.push_back({event.step, markLabel(event),
                       event.kind == RunEvent::Kind::notFinite ? theme.colours().danger : theme.colours().muted});
  return marks;
}

}  // namespace moe::ui
