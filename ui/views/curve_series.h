#pragma once
#include <vector>

#include "ui/models/run_history.h"
#include "ui/widgets/plot.h"

namespace moe::ui {

/// One curve of a run that reads from the history whenever it is drawn.
PlotSeries seriesOf(const RunHistory& history, RunId run, Metric metric, std::size_t layer, const QString& name,
                    const QColor& colour, Qt::PenStyle pen = Qt::SolidLine);

/// A plot whose title, axis, form and tooltip are what the metrics' rows say; `title` where it shows several together.
/// `ofLayers`: what is said of a metric of layers behind its unit.
Plot* metricPlot(Theme& theme, TimeAxis& time, const std::vector<Metric>& metrics, const QString& title = {},
                 const QString& ofLayers = QObject::tr("by layer"));

/// All curves of a plot: of the main run one a layer for metrics of layers; twin and overlays beside it for metrics of the
/// whole run.
std::vector<PlotSeries> seriesFor(const RunHistory& history, const Theme& theme, const std::vector<Metric>& metrics);

/// What is measured in a run's studies, one curve a layer.
PlotSeries studySeriesOf(const RunHistory& history, RunId run, StudyQuantity quantity, std::size_t layer,
                         const QString& name, const QColor& colour);
std::vector<PlotSeries> studySeriesFor(const RunHistory& history, const Theme& theme, StudyQuantity quantity);

/// What has to be said on every picture of these runs; empty: nothing.
QString cautionFor(const RunHistory& history, const std::vector<RunId>& runs);

/// The marks of the main run's events.
std::vector<PlotMark> marksOf(const RunHistory& history, const Theme& theme);

}  // namespace moe::ui
