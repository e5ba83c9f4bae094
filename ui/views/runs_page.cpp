#include "ui/views/runs_page.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QShowEvent>
#include <QSplitter>
#include <QTimer>
#include <QVBoxLayout>
#include <algorithm>

#include "ui/models/run_history.h"
#include "ui/session/run_library.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/views/curve_series.h"
#include "ui/views/run_details.h"
#include "ui/views/runs_table.h"
#include "ui/widgets/card.h"
#include "ui/widgets/format.h"
#include "ui/widgets/notices.h"
#include "ui/widgets/plot.h"
#include "ui/widgets/plot_grid.h"
#include "ui/widgets/time_axis.h"

namespace moe::ui {

namespace {
constexpr int kRefresh = 2000;  // ms: a run in training goes on while it is looked at
}

RunsPage::RunsPage(const PageContext& context, QWidget* parent)
    : QWidget(parent),
      context_(context),
      time_(new TimeAxis(this)),
      table_(new RunsTable(context, this)),
      details_(new RunDetails(context, this)),
      grid_(new PlotGrid(this)),
      hint_(
          new EmptyHint(context.theme, tr("Tick two or more runs above to lay their curves over one another."), this)),
      layerWords_(new QLabel(tr("MaxVio and entropy of"), this)),
      layer_(new QComboBox(this)) {
  auto* list = new Card(context.theme, tr("Stored runs"), this);
  list->body()->addWidget(table_);
  auto* curves = new Card(context.theme, tr("Ticked runs, laid over one another"), this);
  auto* choice = new QHBoxLayout;
  choice->addWidget(layerWords_);
  choice->addWidget(layer_);
  choice->addStretch(1);
  layer_->setAccessibleName(tr("Layer of the curves that are one a layer"));
  curves->body()->addLayout(choice);
  curves->body()->addWidget(hint_, 1);
  curves->body()->addWidget(grid_, 1);
  auto* kept = new Card(context.theme, tr("What is kept of the chosen run"), this);
  kept->body()->addWidget(details_);

  auto* below = new QSplitter(Qt::Horizontal, this);
  below->addWidget(curves);
  below->addWidget(kept);
  below->setStretchFactor(0, 3);
  below->setStretchFactor(1, 2);
  below->setChildrenCollapsible(false);
  auto* splitter = new QSplitter(Qt::Vertical, this);
  splitter->addWidget(list);
  splitter->addWidget(below);
  splitter->setStretchFactor(0, 2);
  splitter->setStretchFactor(1, 3);
  splitter->setChildrenCollapsible(false);
  auto* all = new QVBoxLayout(this);
  all->addWidget(splitter);
  setFocusProxy(table_);
  auto* again = new QTimer(this);
  connect(again, &QTimer::timeout, this, [this] {
    if (isVisible()) context_.library.refresh();
  });
  again->start(kRefresh);

  for (const Metric metric : {Metric::loss, Metric::validationLoss, Metric::maxVio, Metric::routerEntropy})
    addPlot(metric);

  RunLibrary& library = context_.library;
  connect(&library, &RunLibrary::runsListed, table_, &RunsTable::showRuns);
  connect(&library, &RunLibrary::runRead, this, &RunsPage::showRead);
  connect(&library, &RunLibrary::removed, this, [this](RunId run) { tick(run, false); });
  connect(&library, &RunLibrary::exported, this, [this](const QString& path) {
    context_.notices.show(Notices::Kind::note, tr("Exported to %1.").arg(path), {}, "export");
  });
  connect(&library, &RunLibrary::problemArrived, this,
          [this](const QString& sentence) { context_.notices.show(Notices::Kind::problem, sentence); });
  connect(table_, &RunsTable::ticked, this, &RunsPage::tick);
  connect(table_, &RunsTable::chosenChanged, this, [this] {
    if (const std::optional<ListedRun> run = table_->chosen())
      context_.library.read(run->summary.id);
    else
      details_->show(nullptr);
  });
  connect(layer_, &QComboBox::currentIndexChanged, this, [this] { showCurves(); });
  connect(&context_.history, &RunHistory::runsChanged, this, [this] {
    fillLayers();
    showCurves();
  });
  connect(&context_.history, &RunHistory::pointsAdded, this, [this](RunId run) {
    const std::vector<RunId>& overlays = context_.history.overlays();
    if (std::find(overlays.begin(), overlays.end(), run) != overlays.end() && isVisible()) showCurves();
  });
  connect(&context_.session, &SessionBridge::runStarted, this, [this] { context_.library.refresh(); });
  connect(&context_.theme, &Theme::changed, this, [this] { showCurves(); });
  showCurves();
}

void RunsPage::addPlot(Metric metric) {
  Plot* plot = metricPlot(context_.theme, *time_, {metric}, {}, tr("of one layer"));
  plot->setFormat(number);
  plot->setHint(tr("no ticked run has it"));
  grid_->add(plot);
  connect(plot, &Plot::cursorMoved, this, [this](std::int64_t step) {
    for (const Panel& panel : panels_) panel.plot->setCursor(step);
  });
  panels_.push_back({plot, metric});
}

void RunsPage::showEvent(QShowEvent* event) {
  QWidget::showEvent(event);
  context_.library.refresh();
  showCurves();
}

void RunsPage::tick(RunId run, bool on) {
  const auto found = std::find(wanted_.begin(), wanted_.end(), run);
  if (on && found == wanted_.end()) {
    wanted_.push_back(run);
    context_.library.read(run);
  } else if (!on) {
    if (found != wanted_.end()) wanted_.erase(found);
    context_.history.removeOverlay(run);
  }
}

void RunsPage::showRead(std::shared_ptr<const StoredRun> run) {
  const RunId id = run->summary.id;
  if (std::find(wanted_.begin(), wanted_.end(), id) != wanted_.end())
    context_.history.addOverlay(run->summary, run->points, run->events, run->studies);
  if (table_->chosen() && table_->chosen()->summary.id == id) details_->show(std::move(run));
}

void RunsPage::fillLayers() {
  std::size_t most = 0;
  for (const RunId id : context_.history.overlays())
    if (const RunHistory::Run* run = context_.history.find(id)) most = std::max(most, run->columns.layers().size());
  if (static_cast<int>(most) == layer_->count()) return;
  const int before = std::max(0, layer_->currentIndex());
  const QSignalBlocker quiet(layer_);
  layer_->clear();
  for (std::size_t i = 0; i < most; ++i) layer_->addItem(tr("expert layer %1 of %2").arg(i + 1).arg(most));
  layer_->setCurrentIndex(std::min(before, static_cast<int>(most) - 1));
}

void RunsPage::showCurves() {
  const std::vector<RunId>& overlays = context_.history.overlays();
  hint_->setVisible(overlays.empty());
  grid_->setVisible(!overlays.empty());
  layerWords_->setVisible(layer_->count() > 0);
  layer_->setVisible(layer_->count() > 0);
  const auto chosen = static_cast<std::size_t>(std::max(0, layer_->currentIndex()));
  double newest = 0;
  for (const Panel& panel : panels_) {
    std::vector<PlotSeries> series;
    int index = 0;
    for (const RunId id : overlays) {
      const RunHistory::Run* run = context_.history.find(id);
      const int colour = index++;
      if (!run) continue;
      newest = std::max(newest, static_cast<double>(run->columns.lastStep()));
      if (isPerLayer(panel.metric) && run->columns.layers().size() <= chosen) continue;
      const QString name = shown(run->summary.name);
      series.push_back(seriesOf(context_.history, id, panel.metric, chosen,
                                run->seesLaterTokens ? tr("%1 (sees later tokens)").arg(name) : name,
                                context_.theme.overlay(colour)));
    }
    panel.plot->setCaution(cautionFor(context_.history, overlays));
    panel.plot->setSeries(std::move(series));
  }
  time_->setNewest(newest);
}

QWidget* makeRunsPage(const PageContext& context, QWidget* parent) { return new RunsPage(context, parent); }

}  // namespace moe::ui
