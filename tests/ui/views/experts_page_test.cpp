#include "ui/views/experts_page.h"

#include <QLabel>

#include "tests/support/played_window.h"
#include "tests/support/register.h"
#include "ui/views/balance_section.h"
#include "ui/views/recipe_panel.h"
#include "ui/views/this_run_panel.h"
#include "ui/views/train_page.h"
#include "ui/widgets/expert_heatmap.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/plot.h"
#include "ui/widgets/share_matrix.h"

using namespace moe;
using namespace moe::ui;
using namespace moe::test;

namespace {

std::shared_ptr<const RunStudy> studyAt(RunId run, std::int64_t step, std::vector<std::int32_t> selections) {
  auto study = std::make_shared<RunStudy>();
  study->run = run;
  study->step = step;
  study->tokens = 4;
  study->domains = {"english", "music"};
  study->domainTokens = {2, 2};
  for (const int layer : {0, 1})
    study->layers.push_back({.layer = layer,
                             .experts = 4,
                             .slots = 1,
                             .selections = selections,
                             .listed = {0, 1, 2, 3},
                             .coactivation = std::vector<float>(16, 0.25f),
                             .domains = {0.5f, 0.5f, 0, 0, 0, 0, static_cast<float>(layer), 0.5f},
                             .inputSpecialisation = 0.75f,
                             .nextSpecialisation = 0.5f,
                             .predictedSpecialisation = 0.6f,
                             .maxVioGlobal = 0.1f});
  return study;
}

RunConfig leaking() {
  RunConfig config = runConfigOfPreset(firstPreset().id);
  for (LayerConfig& layer : config.model.layers) layer.recipe.select.kind = Recipe::Select::Kind::expertChoice;
  return config;
}

}  // namespace

class ExpertsPageTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theNewestStudyIsShownAndAnEarlierStepItsOwn() {
    PlayedWindow window;
    ExpertsPage page(window.context);
    page.resize(1000, 700);
    page.show();
    QVERIFY(page.domains().content().rows.isEmpty());
    QVERIFY(page.caption().contains("not been studied"));
    window.next.studies = {studyAt(1, 0, {0, 0, 1, 1}), studyAt(1, 100, {0, 1, 1, 1}), studyAt(1, 200, {0, 1, 1, 2})};
    window.start(1, runConfigOfPreset(firstPreset().id), 250);
    QCOMPARE(page.domains().content().rows, QStringList({"english", "music"}));
    QCOMPARE(page.coactivation().content().columns.size(), 4);
    QVERIFY(page.caption().contains("Step 200"));
    window.selection.setStep(150);
    QVERIFY(page.caption().contains("Step 100"));
    QTRY_COMPARE(page.plot(StudyQuantity::churn)->legend(), QStringList({"L0 25 %", "L1 25 %"}));
    QTRY_COMPARE(page.plot(StudyQuantity::saturation)->legend(), QStringList({"L0 75 %", "L1 75 %"}));
    const auto explained = page.plot(StudyQuantity::churn)->explanations();
    QCOMPARE(explained.size(), std::size_t{2});
    QCOMPARE(explained[1].values, std::string("1 / 4 = 25 %"));
  }
  void beforeAndAfterTheBiasIsShownOnlyWhereThereIsOne() {
    PlayedWindow window;
    ExpertsPage page(window.context);
    page.show();
    RunConfig config = runConfigOfPreset(firstPreset().id);
    for (LayerConfig& layer : config.model.layers) layer.recipe.adjust.selectionBias.reset();
    window.start(1, config, 3);
    QVERIFY(page.plot(Metric::biasJaccard)->isHidden());
    for (LayerConfig& layer : config.model.layers) layer.recipe.adjust.selectionBias.emplace();
    window.status.config = config;
    window.deliver();
    QVERIFY(!page.plot(Metric::biasJaccard)->isHidden());
  }
  void aCellSelectsItsExpertEverywhere() {
    PlayedWindow window;
    ExpertsPage page(window.context);
    window.next.studies = {studyAt(1, 0, {0, 0, 1, 1})};
    window.start(1, runConfigOfPreset(firstPreset().id), 3);
    window.selection.setLayer(1);
    page.domains().choose(1, 2);
    QCOMPARE(window.selection.place().expert, 2);
    QCOMPARE(window.selection.place().layer, 1);
    QCOMPARE(page.domains().readout(), QString("music, E2: 100 %"));
  }
  void aRunThatSeesLaterTokensSaysSoOnEveryPicture() {
    PlayedWindow window;
    ExpertsPage page(window.context);
    TrainPage train(window.context);
    window.next.studies = {studyAt(1, 0, {0, 0, 1, 1})};
    window.start(1, leaking(), 3);
    QCOMPARE(page.domains().caution(), QString("sees later tokens"));
    QCOMPARE(page.coactivation().caution(), QString("sees later tokens"));
    QCOMPARE(train.heatmap().caution(), QString("sees later tokens"));
    for (const QWidget* on : {static_cast<QWidget*>(&page), static_cast<QWidget*>(&train)})
      for (const Plot* plot : on->findChildren<Plot*>()) QCOMPARE(plot->caution(), QString("sees later tokens"));
    // Another run takes its place: nothing is left behind.
    window.start(2, runConfigOfPreset(firstPreset().id), 3);
    QCOMPARE(train.heatmap().caution(), QString());
    QCOMPARE(page.domains().caution(), QString());
  }
  void everyNumberOfThePlotsAnswersEnter() {
    PlayedWindow window;
    TrainPage train(window.context);
    train.resize(1000, 800);
    train.show();
    window.start(1, runConfigOfPreset(firstPreset().id), 20);
    for (const Metric metric : {Metric::loss, Metric::maxVio, Metric::routerEntropy, Metric::loadEntropy,
                                Metric::auxLoss, Metric::tokensPerSecond}) {
      Plot* plot = train.plot(metric);
      QVERIFY(plot);
      const auto all = plot->explanations();
      QVERIFY(!all.empty());
      for (const Explanation& one : all) QVERIFY(!one.formula.empty() && !one.values.empty());
    }
    Plot* plot = train.plot(Metric::maxVio);
    plot->setFocus();
    QTRY_VERIFY(plot->hasFocus());
    QTest::keyClick(plot, Qt::Key_Return);
    auto* popover = plot->findChild<ExplainPopover*>();
    QVERIFY(popover);
    QCOMPARE(popover->count(), 2);
    QCOMPARE(popover->shown().name, std::string("MaxVio, layer 0, step 20"));
    QTest::keyClick(popover, Qt::Key_Down);
    QCOMPARE(popover->shown().name, std::string("MaxVio, layer 1, step 20"));
    QTest::keyClick(popover, Qt::Key_Escape);
  }
  void theBalancerIsShownAndAnIdleTermIsNamed() {
    PlayedWindow window;
    RecipePanel recipe(window.context);
    ThisRunPanel panel(window.context);
    RunConfig config = runConfigOfPreset(firstPreset().id);
    for (LayerConfig& layer : config.model.layers) layer.recipe.balance = {{.name = "aux", .coefficient = 0.01}};
    StepPoint point = pointAt(1, 1);
    point.balance = {1.25f};
    for (LayerPoint& layer : point.layers) {
      layer.balance = {1.25f};
      layer.balanceGradient = 0.002f;
      layer.languageGradient = 0.1f;
      layer.termGradient = {0.002f};
    }
    window.next.points = {point};
    window.start(1, config, 0);
    auto* section = static_cast<BalanceSection*>(recipe.section("balance"));
    QVERIFY(section->live(0).contains("Now 1.25, where 1 is perfect balance"));
    QVERIFY(section->live(0).contains("L0 0.002, L1 0.002"));
    QVERIFY(section->warnings().isEmpty());
    QVERIFY(panel.fact("balance").contains("1.25"));
    QVERIFY(panel.fact("pull").contains("2.0 %") && panel.fact("pull").contains("step 1"));
    point.step = 11;
    for (LayerPoint& layer : point.layers) layer.balanceGradient = 0, layer.termGradient = {0};
    window.next.points = {point};
    window.deliver();
    QCOMPARE(section->warnings().size(), 1);
    QVERIFY(section->note().contains("its gradient on the router is zero in layer 0, 1"));
  }
};
SWITCHYARD_TEST(ExpertsPageTest)
#include "experts_page_test.moc"
