#include "ui/views/experts_page.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QLabel>
#include <QSplitter>
#include <QVBoxLayout>
#include <algorithm>

#include "core/base/utf8.h"
#include "ui/models/selection.h"
#include "ui/session/session_bridge.h"
#include "ui/theme/theme.h"
#include "ui/views/curve_series.h"
#include "ui/widgets/format.h"
#include "ui/widgets/plot.h"
#include "ui/widgets/plot_grid.h"
#include "ui/widgets/share_matrix.h"
#include "ui/widgets/time_axis.h"

namespace moe::ui {

namespace {

QStringList expertNames(const LayerStudy& layer) {
  QStringList names;
  for (const std::int32_t expert : layer.listed) names << QString("E%1").arg(expert);
  return names;
}

ShareMatrix::Content domainsOf(const RunStudy& study, const LayerStudy& layer) {
  ShareMatrix::Content content;
  for (const std::string& name : study.domains) content.rows << QString::fromStdString(shownName(name));
  content.columns = expertNames(layer);
  content.values = layer.domains;
  content.even = evenShares(layer);
  content.most = layer.experts > 1 && layer.slots > 0
                     ? std::max(2.0, static_cast<double>(layer.experts) / std::min(layer.slots, layer.experts))
                     : 2;
  content.scale = QObject::tr("% of a domain's tokens at an expert; colour: times k / E");
  content.shortScale = QObject::tr("% of a domain's tokens");
  return content;
}

ShareMatrix::Content pairsOf(const LayerStudy& layer) {
  ShareMatrix::Content content;
  content.rows = content.columns = expertNames(layer);
  content.values = layer.coactivation;
  for (std::size_t e = 0; e < layer.listed.size(); ++e)
    content.values[e * layer.listed.size() + e] = kNotMeasured;  // no pair
  content.scale = QObject::tr("% of the row's tokens that the column has too");
  content.shortScale = QObject::tr("% of the row's tokens");
  return content;
}

}  // namespace

ExpertsPage::ExpertsPage(const PageContext& context, QWidget* parent)
    : QWidget(parent),
      context_(context),
      caption_(new QLabel(this)),
      layer_(new QComboBox(this)),
      domains_(new ShareMatrix(context.theme, tr("Domains"))),
      coactivation_(new ShareMatrix(context.theme, tr("Chosen together"))),
      grid_(new PlotGrid) {
  auto* all = new QVBoxLayout(this);
  auto* head = new QHBoxLayout;
  caption_->setWordWrap(true);
  layer_->setAccessibleName(tr("Layer of the two tables"));
  head->addWidget(caption_, 1);
  head->addWidget(layer_);
  all->addLayout(head);
  auto* tables = new QSplitter(Qt::Horizontal);
  tables->addWidget(domains_);
  tables->addWidget(coactivation_);
  tables->setChildrenCollapsible(false);
  auto* splitter = new QSplitter(Qt::Vertical, this);
  splitter->addWidget(tables);
  splitter->addWidget(grid_);
  splitter->setChildrenCollapsible(false);
  splitter->setSizes({450, 550});
  splitter->setStretchFactor(0, 45);
  splitter->setStretchFactor(1, 55);
  all->addWidget(splitter, 1);
  setFocusProxy(domains_);

  domains_->setHint(
      tr("Which expert takes which kind of text appears here when the run is first studied: before its first step, "
         "then at every validation."));
  coactivation_->setHint(
      tr("How often two experts are chosen for the same token appears here when the run is first studied."));
  domains_->setSource([this](int row, int column) {
    const RunStudy* at = study();
    return at ? explainDomain(*at, layer(), static_cast<std::size_t>(row), static_cast<std::size_t>(column))
              : Explanation{};
  });
  coactivation_->setSource([this](int row, int column) {
    const RunStudy* at = study();
    return at ? explainCoactivation(*at, layer(), static_cast<std::size_t>(row), static_cast<std::size_t>(column))
              : Explanation{};
  });
  for (ShareMatrix* table : {domains_, coactivation_})
    connect(table, &ShareMatrix::columnChosen, this, [this](int column) {
      if (const RunStudy* at = study())
        context_.selection.setExpert(at->layers[layer()].layer,
                                     at->layers[layer()].listed[static_cast<std::size_t>(column)]);
    });

  Plot* saturation = addPlot(tr("Saturation"), tr("share, by layer"),
                             tr("Share of the experts of the newest study that were chosen already at this step, mean "
                                "over tokens. Earlier values move until the run ends."),
                             {StudyQuantity::saturation});
  Plot* churn = addPlot(tr("Churn"), tr("share, by layer"),
                        tr("Share of the assignments that changed since the study before."), {StudyQuantity::churn});
  Plot* words = addPlot(
      tr("Vocabulary specialisation"), tr("share, of the layer"),
      tr("Mean over token ids of the largest share of an id's first choices that one expert has: by the id read, the "
         "true next id, and the predicted one."),
      {StudyQuantity::inputSpecialisation, StudyQuantity::nextSpecialisation, StudyQuantity::predictedSpecialisation});
  Plot* global = addPlot(tr("MaxVio, global"), tr("whole validation, by layer"),
                         tr("max load / mean load - 1 over all tokens of the validation: chance evens out, so it is "
                            "below that of single batches."),
                         {StudyQuantity::maxVioGlobal});
  for (const Metric metric :
       {Metric::mutualInformation, Metric::margin, Metric::cv2, Metric::biasJaccard, Metric::dead})
    addPanel(metricPlot(context_.theme, context_.time, {metric}), {}, {metric});
  for (Plot* plot : {saturation, churn, words}) plot->setFormat(percent);
  for (Plot* plot : {saturation, churn, words}) plot->setLeastRange(0, 1);
  global->setLeastRange(0, std::nullopt);
  global->setFormat(twoDecimals);

  connect(layer_, &QComboBox::currentIndexChanged, this, [this] {
    if (const RunStudy* at = study()) context_.selection.setLayer(at->layers[layer()].layer);
    showStudy();
    showCurves();
  });
  connect(&context.history, &RunHistory::runsChanged, this, [this] {
    fillLayers();
    showStudy();
    showCurves();
  });
  connect(&context.history, &RunHistory::studied, this, [this](RunId run) {
    if (run != context_.history.main()) return;
    fillLayers();
    showStudy();
    showCurves();
  });
  connect(&context.history, &RunHistory::pointsAdded, this, &ExpertsPage::showPoints);
  connect(&context.session, &SessionBridge::statusChanged, this, &ExpertsPage::follow);
  connect(&context.selection, &Selection::changed, this, &ExpertsPage::showSelection);
  connect(&context.theme, &Theme::changed, this, &ExpertsPage::dress);
  domains_->setToolTip(
      tr("Share of a domain's tokens that chose the expert. The colour compares it with k / E, what chance gives."));
  coactivation_->setToolTip(tr("Of the tokens that chose the row's expert, the share that chose the column's too."));
  dress();
  follow(context.session.status());
}

Plot* ExpertsPage::addPlot(const QString& title, const QString& unit, const QString& tip,
                           std::vector<StudyQuantity> quantities) {
  auto* plot = new Plot(context_.theme, context_.time, title, unit);
  plot->setToolTip(tip);
  addPanel(plot, std::move(quantities), {});
  return plot;
}

void ExpertsPage::addPanel(Plot* plot, std::vector<StudyQuantity> quantities, std::vector<Metric> metrics) {
  plot->setHint(quantities.empty() ? tr("appears with the first step") : tr("appears with the first validation"));
  grid_->add(plot);
  connect(plot, &Plot::cursorMoved, this, [this](std::int64_t step) { context_.selection.setStep(step); });
  panels_.push_back({plot, std::move(quantities), std::move(metrics)});
}

Plot* ExpertsPage::plot(StudyQuantity quantity) const {
  for (const Panel& panel : panels_)
    if (std::find(panel.quantities.begin(), panel.quantities.end(), quantity) != panel.quantities.end())
      return panel.plot;
  return nullptr;
}

Plot* ExpertsPage::plot(Metric metric) const {
  for (const Panel& panel : panels_)
    if (std::find(panel.metrics.begin(), panel.metrics.end(), metric) != panel.metrics.end()) return panel.plot;
  return nullptr;
}

void ExpertsPage::follow(const SessionStatus& status) {
  if (!status.config) return;
  const auto& layers = status.config->model.layers;
  // Without a selection bias there is no before and after.
  grid_->setShown(plot(Metric::biasJaccard), std::any_of(layers.begin(), layers.end(), [](const LayerConfig& layer) {
                    return layer.hasExperts && layer.recipe.adjust.selectionBias;
                  }));
}

QString ExpertsPage::caption() const { return caption_->text(); }

std::size_t ExpertsPage::layer() const { return static_cast<std::size_t>(std::max(0, layer_->currentIndex())); }

const RunStudy* ExpertsPage::study() const {
  const RunHistory::Run* run = context_.history.mainRun();
  if (!run || run->studies.empty()) return nullptr;
  const std::int64_t step = context_.selection.place().step;
  const RunStudy* found = step < 0 ? run->studies.back().get() : run->studies.front().get();
  for (const auto& study : run->studies)
    if (study->step <= step) found = study.get();
  return layer() < found->layers.size() ? found : nullptr;
}

void ExpertsPage::fillLayers() {
  const RunHistory::Run* run = context_.history.mainRun();
  QStringList names;
  if (run && !run->studies.empty())
    for (const LayerStudy& at : run->studies.back()->layers) names << layerWords(at.layer);
  QStringList before;
  for (int i = 0; i < layer_->count(); ++i) before << layer_->itemText(i);
  layer_->setVisible(!names.isEmpty());
  if (names == before) return;
  const int index = layer_->currentIndex();
  const QSignalBlocker quiet(layer_);
  layer_->clear();
  layer_->addItems(names);
  if (!names.isEmpty()) layer_->setCurrentIndex(std::clamp(index, 0, static_cast<int>(names.size()) - 1));
}

void ExpertsPage::showStudy() {
  const RunStudy* at = study();
  const LayerStudy* shown = at ? &at->layers[layer()] : nullptr;
  const QString most = shown && static_cast<std::int32_t>(shown->listed.size()) < shown->experts
                           ? tr("; the tables: the %1 of %2 experts that they chose most")
                                 .arg(grouped(static_cast<std::int64_t>(shown->listed.size())), grouped(shown->experts))
                           : QString();
  caption_->setText(
      at ? tr("Step %1, over the same %2 held-out tokens at every validation")
                   .arg(grouped(at->step), grouped(at->tokens)) +
               most
         : tr("The run has not been studied yet: that happens before its first step and at every validation."));
  domains_->setContent(at ? domainsOf(*at, at->layers[layer()]) : ShareMatrix::Content{});
  coactivation_->setContent(at ? pairsOf(at->layers[layer()]) : ShareMatrix::Content{});
  const QString caution = cautionFor(context_.history, {context_.history.main()});
  for (ShareMatrix* table : {domains_, coactivation_}) table->setCaution(caution);
  for (const Panel& panel : panels_) panel.plot->setCaution(caution);
}

void ExpertsPage::showCurves() {
  const RunId main = context_.history.main();
  const RunHistory::Run* run = context_.history.mainRun();
  layersShown_ = run ? run->columns.layers().size() : 0;
  for (const Panel& panel : panels_) {
    std::vector<PlotSeries> series;
    if (panel.quantities.size() > 1) {
      const std::pair<QString, QColor> kKinds[] = {{tr("read"), context_.theme.curve(Theme::Curve::train)},
                                                   {tr("next"), context_.theme.curve(Theme::Curve::validation)},
                                                   {tr("predicted"), context_.theme.curve(Theme::Curve::aux)}};
      for (std::size_t i = 0; i < panel.quantities.size(); ++i)
        series.push_back(
            studySeriesOf(context_.history, main, panel.quantities[i], layer(), kKinds[i].first, kKinds[i].second));
    } else if (!panel.quantities.empty()) {
      series = studySeriesFor(context_.history, context_.theme, panel.quantities.front());
    } else {
      series = seriesFor(context_.history, context_.theme, panel.metrics);
    }
    panel.plot->setSeries(std::move(series));
  }
}

void ExpertsPage::showPoints() {
  const RunHistory::Run* run = context_.history.mainRun();
  // Curves of layers can only be set up once a step says which there are.
  if (run && run->columns.layers().size() != layersShown_) return showCurves();
  for (const Panel& panel : panels_)
    if (!panel.metrics.empty()) panel.plot->refresh();
}

void ExpertsPage::showSelection() {
  for (const Panel& panel : panels_) panel.plot->setCursor(context_.selection.place().step);
  if (const RunHistory::Run* run = context_.history.mainRun(); run && !run->studies.empty()) {
    const auto& layers = run->studies.back()->layers;
    for (std::size_t i = 0; i < layers.size(); ++i)
      if (layers[i].layer == context_.selection.place().layer && static_cast<int>(i) != layer_->currentIndex())
        layer_->setCurrentIndex(static_cast<int>(i));
  }
  showStudy();
}

void ExpertsPage::dress() {
  const int gap = context_.theme.gap();
  layout()->setContentsMargins(gap, gap, gap, gap);
  layout()->setSpacing(gap);
  grid_->setGap(gap);
  fillLayers();
  showStudy();
  showCurves();
}

QWidget* makeExpertsPage(const PageContext& context, QWidget* parent) { return new ExpertsPage(context, parent); }

}  // namespace moe::ui
