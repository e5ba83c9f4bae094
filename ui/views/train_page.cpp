#include "ui/views/train_page.h"

#include <QAction>
#include <QSplitter>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/run_marks.h"
#include "ui/models/selection.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/views/curve_series.h"
#include "ui/views/expert_actions.h"
#include "ui/widgets/expert_heatmap.h"
#include "ui/widgets/format.h"
#include "ui/widgets/plot_grid.h"
#include "ui/widgets/time_axis.h"

namespace moe::ui {

TrainPage::TrainPage(const PageContext& context, QWidget* parent)
    : QWidget(parent),
      context_(context),
      heatmap_(new ExpertHeatmap(context.theme, context.time, context.selection)),
      grid_(new PlotGrid),
      splitter_(new QSplitter(Qt::Vertical, this)) {
  auto* all = new QVBoxLayout(this);
  all->addWidget(splitter_);
  setFocusProxy(heatmap_);
  splitter_->addWidget(heatmap_);
  splitter_->addWidget(grid_);
  splitter_->setChildrenCollapsible(false);
  splitter_->setSizes({430, 570});  // shares, not px: the splitter scales them
  splitter_->setStretchFactor(0, 43);
  splitter_->setStretchFactor(1, 57);
  heatmap_->setSource([this](int layer, int expert, std::int64_t step) {
    std::vector<Explanation> all;
    const RunHistory::Run* run = context_.history.mainRun();
    const auto index = run ? run->columns.indexAt(step) : std::nullopt;
    if (!index) return all;
    const StepPoint point = run->columns.pointAt(*index);
    for (const LayerPoint& at : point.layers) {
      if (at.layer != layer) continue;
      all.push_back(explainLoad(at, static_cast<std::size_t>(expert), point.step));
      for (const Metric metric :
           {Metric::maxVio, Metric::cv2, Metric::unused, Metric::dead, Metric::importanceCv2, Metric::mutualInformation,
            Metric::margin, Metric::biasJaccard, Metric::tokenDropRate, Metric::balanceGradient})
        all.push_back(moe::explain(metric, at, point.step, run->facts));
    }
    return all;
  });
  heatmap_->setHint(
      tr("The load of every expert in every layer appears here with the first step. Press play, or the space bar."));

  addPlot({Metric::loss, Metric::validationLoss}, tr("Loss"));
  for (const Metric metric : {Metric::maxVio, Metric::balanceGradient, Metric::routerEntropy, Metric::loadEntropy})
    addPlot({metric});
  addPlot({Metric::auxLoss, Metric::zLoss}, tr("Balance loss"));
  addPlot({Metric::loadMost, Metric::loadHigh, Metric::loadMedian, Metric::loadLow, Metric::loadLeast});
  for (const Metric metric : {Metric::dropRate, Metric::tokensPerSecond}) addPlot({metric});

  connect(heatmap_, &ExpertHeatmap::menuOpens, this,
          [this](QMenu* menu, int layer, int expert) { addExpertActions(*menu, context_, layer, expert, this); });
  auto* experts = new QAction(tr("Add &experts…"), this);
  experts->setProperty("menu", "Run");
  connect(experts, &QAction::triggered, this,
          [this] { showExpertsDialog(context_, context_.selection.place().layer, this); });
  addAction(experts);
  connect(&context.history, &RunHistory::runsChanged, this, &TrainPage::showRuns);
  connect(&context.history, &RunHistory::pointsAdded, this, &TrainPage::showData);
  connect(&context.history, &RunHistory::eventsAdded, this, &TrainPage::showEvents);
  connect(&context.history, &RunHistory::alertsChanged, this, &TrainPage::showEvents);
  connect(&context.selection, &Selection::changed, this, &TrainPage::showSelection);
  connect(&context.session, &SessionBridge::statusChanged, this, &TrainPage::follow);
  connect(&context.theme, &Theme::changed, this, &TrainPage::dress);
  dress();
}

void TrainPage::addPlot(std::vector<Metric> metrics, const QString& title) {
  Plot* plot = metricPlot(context_.theme, context_.time, metrics, title);
  plot->setHint(tr("appears with the first step"));
  grid_->add(plot);
  connect(plot, &Plot::cursorMoved, this, [this](std::int64_t step) { context_.selection.setStep(step); });
  panels_.push_back({plot, std::move(metrics)});
}

Plot* TrainPage::plot(Metric metric) const {
  for (const Panel& panel : panels_)
    if (std::find(panel.metrics.begin(), panel.metrics.end(), metric) != panel.metrics.end()) return panel.plot;
  return nullptr;
}

void TrainPage::showRuns() {
  const RunHistory::Run* run = context_.history.mainRun();
  layersShown_ = run ? run->columns.layers().size() : 0;
  heatmap_->setRun(context_.history.main(), run ? &run->columns : nullptr);
  showCaution();
  for (const Panel& panel : panels_) panel.plot->setSeries(seriesFor(context_.history, context_.theme, panel.metrics));
  context_.time.setNewest(static_cast<double>(context_.history.newestStep()));
  showEvents();
}

void TrainPage::showCaution() {
  const QString caution = cautionFor(context_.history, {context_.history.main()});
  heatmap_->setCaution(caution);
  for (const Panel& panel : panels_) panel.plot->setCaution(caution);
}

void TrainPage::showData() {
  const RunHistory::Run* run = context_.history.mainRun();
  if (run && run->columns.layers().size() != layersShown_) return showRuns();
  context_.time.setNewest(static_cast<double>(context_.history.newestStep()));
  heatmap_->refresh();
  for (const Panel& panel : panels_) panel.plot->refresh();
}

void TrainPage::showEvents() {
  const std::vector<PlotMark> marks = marksOf(context_.history, context_.theme);
  std::vector<ExpertSpan> spans;
  if (const RunHistory::Run* run = context_.history.mainRun())
    for (const AlertSpan& span : alertSpans(run->events))
      if (span.to >= 0) spans.push_back({span.layer, span.expert, span.from, span.to, false});
  for (const Alert& alert : context_.history.alerts())
    if (alert.run == context_.history.main()) spans.push_back({alert.layer, alert.expert, alert.since, 0, true});
  heatmap_->setSpans(std::move(spans));
  heatmap_->setMarks(marks);
  for (const Panel& panel : panels_) panel.plot->setMarks(marks);
}

void TrainPage::showSelection() {
  for (const Panel& panel : panels_) panel.plot->setCursor(context_.selection.place().step);
}

void TrainPage::follow(const SessionStatus& status) {
  if (!status.config) return;
  showCaution();
  double most = 0;
  bool dropping = false, balanced = false;
  for (const LayerConfig& layer : status.config->model.layers) {
    if (!layer.hasExperts && layer.recipe.head.kind != Recipe::Head::Kind::mixture) continue;
    // Where every token asks every expert, each counts by its weight: one may have it all.
    const int slots = layer.recipe.select.kind == Recipe::Select::Kind::all ? 1 : layer.recipe.slotsPerToken();
    most = std::max(most, static_cast<double>(layer.recipe.experts.count) / std::max(1, slots));
    dropping |= !layer.recipe.capacity.dropless();
    balanced |= !layer.recipe.balance.empty();
  }
  if (most > 1) heatmap_->setMost(most);
  // A curve that can only be zero would take the room of one that says something.
  grid_->setShown(plot(Metric::dropRate), dropping);
  grid_->setShown(plot(Metric::auxLoss), balanced);
  grid_->setShown(plot(Metric::balanceGradient), balanced);
}

void TrainPage::dress() {
  layout()->setContentsMargins(context_.theme.gap(), context_.theme.gap(), context_.theme.gap(), context_.theme.gap());
  splitter_->setHandleWidth(context_.theme.gap());
  grid_->setGap(context_.theme.gap());
  showRuns();
}

QWidget* makeTrainPage(const PageContext& context, QWidget* parent) { return new TrainPage(context, parent); }

}  // namespace moe::ui
