#include "ui/views/train_page.h"

#include <QAction>
#include <QElapsedTimer>
#include <QPushButton>
#include <map>

#include "tests/support/played_window.h"
#include "tests/support/register.h"
#include "ui/views/alert_row.h"
#include "ui/views/alerts_panel.h"
#include "ui/views/main_window.h"
#include "ui/views/recipe_panel.h"
#include "ui/views/run_bar.h"
#include "ui/views/this_run_panel.h"
#include "ui/widgets/expert_heatmap.h"
#include "ui/widgets/explain_popover.h"
#include "ui/widgets/plot.h"

using namespace moe;
using namespace moe::ui;

namespace {

/// Counts the paint events of every plot and heatmap in the program.
struct PaintCounter : QObject {
  std::map<QWidget*, int> paints;
  PaintCounter() { qApp->installEventFilter(this); }
  bool eventFilter(QObject* watched, QEvent* event) override {
    const auto is = [&](const char* name) { return qstrcmp(watched->metaObject()->className(), name) == 0; };
    if (event->type() == QEvent::Paint && (is("QCustomPlot") || is("moe::ui::HeatmapCanvas")))
      ++paints[static_cast<QWidget*>(watched)];
    return false;
  }
};

TrainPage& trainPage(MainWindow& window) { return *qobject_cast<TrainPage*>(window.pageWidget("train")); }
AlertsPanel& alertsPanel(MainWindow& window) { return *qobject_cast<AlertsPanel*>(window.panelWidget("alerts")); }
ThisRunPanel& thisRun(MainWindow& window) { return *qobject_cast<ThisRunPanel*>(window.panelWidget("run")); }
}  // namespace

class TrainPageTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theRunBarSaysHowTheRunStandsAndSpacePauses() {
    test::PlayedWindow w;
    MainWindow window(w.context);
    window.show();
    w.start(1, runConfigOfPreset("mixtral"), 40);
    for (const char* part : {"step 40 / 1,000", "8.3k tok/s", "3 min 20 s left", "loss"})
      QVERIFY2(window.runBar().summary().contains(part), qPrintable(window.runBar().summary()));
    window.runBar().playAction()->trigger();
    QCOMPARE(w.postedOf<command::Pause>().size(), 1u);
    QCOMPARE(window.runBar().playAction()->text(), QString("Play"));  // at once, before the worker answers
    for (const auto state : {SessionStatus::State::preparing, SessionStatus::State::training}) {
      w.status.state = state;
      w.status.work = Work{"validating", 0.4, 12};
      w.deliver();
      QVERIFY2(window.runBar().summary().contains("validating 40 %, about 12 s left"),
               qPrintable(window.runBar().summary()));
      QVERIFY(!window.runBar().summary().contains("tok/s"));
    }
    w.status.work.reset();
    w.status.state = SessionStatus::State::waiting;
    w.deliver();
    QVERIFY(window.runBar().summary().contains("waiting for room on the disk"));
    w.status.state = SessionStatus::State::paused;
    w.deliver();
    QVERIFY(window.runBar().summary().startsWith("paused"));
    window.runBar().stepAction()->trigger();
    QCOMPARE(w.postedOf<command::StepOnce>().size(), 1u);
    window.runBar().playAction()->trigger();
    QCOMPARE(w.postedOf<command::Play>().size(), 1u);
    QCOMPARE(window.runBar().playAction()->shortcut(), QKeySequence(Qt::Key_Space));
  }
  void theCurvesTellTheirValuesAndAKnobLeavesItsMarkOnAllOfThem() {
    test::PlayedWindow w;
    MainWindow window(w.context);
    window.resize(1280, 800);
    window.show();
    w.start(1, runConfigOfPreset("mixtral"), 40);
    RunEvent knob;
    knob.run = 1, knob.step = 20, knob.kind = RunEvent::Kind::knob, knob.path = "select.k", knob.oldValue = "2",
    knob.newValue = "1";
    w.next.events.push_back(knob);
    w.deliver();
    for (const Metric metric :
         {Metric::loss, Metric::maxVio, Metric::routerEntropy, Metric::loadEntropy, Metric::tokensPerSecond})
      QTRY_COMPARE(trainPage(window).plot(metric)->shownMarks(), QStringList{QString::fromUtf8("k 2 \u2192 1")});
    QCOMPARE(trainPage(window).plot(Metric::maxVio)->legend(), (QStringList{"L0 0.10", "L1 0.20"}));
    QVERIFY2(trainPage(window).plot(Metric::dropRate)->isHidden(), "nothing can be dropped without a capacity");
  }
  void aDyingExpertIsListedAndItsRemediesAreOneClick() {
    test::PlayedWindow w;
    MainWindow window(w.context);
    window.show();
    RunConfig config = runConfigOfPreset("collapse");
    w.start(1, config, 80);
    QCOMPARE(window.runBar().alertSummary(), QString("no alerts"));
    w.status.alerts = {{1, 1, 3, 71, 0.02}, {1, 0, 2, 75, 0.04}};
    w.status.hasHealthyCheckpoint = true;
    w.deliver();
    QCOMPARE(window.runBar().alertSummary(), QString("2 alerts"));
    const auto rows = alertsPanel(window).rows();
    QCOMPARE(rows.size(), 2u);
    QCOMPARE(rows[1]->words(), QString("Layer 1, expert 3: dead since step 71, 2.0 % of its fair share"));
    Q_EMIT rows[1]->chosen(1, 3);
    QCOMPARE(w.selection.place().layer, 1);
    QCOMPARE(w.selection.place().expert, 3);
    const QList<QPushButton*> remedies = rows[1]->remedies();
    QCOMPARE(remedies.size(), 4);
    for (QPushButton* remedy : remedies) remedy->click();
    const auto knobs = w.postedOf<command::SetKnob>();
    QCOMPARE(knobs.size(), 2u);
    for (const command::SetKnob& knob : knobs) {
      setByPath(config, knob.path, knob.value);  // throws where the engine would refuse it
      QVERIFY(changesLive(knob.path));
    }
    const auto restores = w.postedOf<command::RestoreHealthy>();
    QCOMPARE(restores.size(), 2u);
    QCOMPARE(restores[0].moreDropout, 0.0);
    QVERIFY(restores[1].moreDropout > 0);
    w.status.alerts.clear();
    w.deliver();
    QVERIFY(alertsPanel(window).rows().empty());
  }
  void anAlertsNumbersAnswerEnter() {
    test::PlayedWindow w;
    MainWindow window(w.context);
    window.show();
    w.start(1, runConfigOfPreset("collapse"), 80);
    w.status.alerts = {{1, 1, 3, 71, 0.02}};
    w.deliver();
    ExplainedLabel& numbers = alertsPanel(window).rows().front()->numbers();
    QTest::keyClick(&numbers, Qt::Key_Return);
    auto* popover = numbers.findChild<ExplainPopover*>();
    QVERIFY(popover);
    QCOMPARE(popover->shown().name, std::string("Utilisation of expert 3, layer 1"));
    QCOMPARE(popover->shown().values, std::string("0.5 % / 25 % = 2 % < 5 %, the threshold"));
    QVERIFY(popover->shown().meaning.find("since step 71") != std::string::npos);
    popover->close();
  }
  void onlyWhatIsVisibleAndChangedIsDrawnThirtyTimesASecondAtMost() {
    test::PlayedWindow w;
    MainWindow window(w.context);
    window.resize(1280, 800);
    window.show();
    w.start(1, runConfigOfPreset("mixtral"), 40);
    QTest::qWait(300);
    PaintCounter counter;
    QElapsedTimer clock;
    clock.start();
    for (std::int64_t step = 41; step <= 140; ++step) {
      w.next.points.push_back(test::pointAt(1, step));
      if (step % 5 == 0) w.deliver();
    }
    const auto most = static_cast<int>(clock.elapsed() * 30 / 1000) + 3;
    QVERIFY(!counter.paints.empty());
    for (const auto& [widget, count] : counter.paints)
      QVERIFY2(count <= most, qPrintable(QString("%1 of at most %2").arg(count).arg(most)));
    // Nothing comes: nothing is drawn.
    QTest::qWait(300);
    counter.paints.clear();
    QTest::qWait(200);
    QVERIFY(counter.paints.empty());
    // Another page is looked at: what comes draws nothing on this one.
    window.showPage("runs");
    QTest::qWait(300);
    counter.paints.clear();
    w.next.points.push_back(test::pointAt(1, 141));
    w.deliver();
    QTest::qWait(200);
    for (const auto& [widget, count] : counter.paints) QVERIFY(!trainPage(window).isAncestorOf(widget));
  }
  void thisRunShowsItsSizesAndStartsTheDenseTwin() {
    test::PlayedWindow w;
    MainWindow window(w.context);
    const RunConfig config = runConfigOfPreset("mixtral");
    w.start(1, config, 3);
    QCOMPARE(thisRun(window).fact("backend"), QString("onednn, f32, 2 threads"));
    QVERIFY(thisRun(window).fact("total").endsWith("parameters"));
    QVERIFY(thisRun(window).fact("memory").contains("MiB predicted"));
    for (const char* number : {"total", "active", "flops", "memory"}) {
      const auto explained = thisRun(window).explanations(number);
      QCOMPARE(explained.size(), std::size_t{1});
      QVERIFY2(explained.front().values.find(" = ") != std::string::npos, explained.front().values.c_str());
    }
    auto& recipe = *qobject_cast<RecipePanel*>(window.panelWidget("recipe"));
    recipe.twinButton()->click();
    QCOMPARE(w.postedOf<command::StartTwin>().size(), 1u);
    RunSummary twin;
    twin.id = 2;
    w.next.startedRuns.push_back(twin);
    w.next.points.push_back(test::pointAt(2, 1, 0));
    w.status.twin = 2;
    w.deliver();
    window.show();
    QTRY_VERIFY(trainPage(window).plot(Metric::loss)->legend().join(' ').contains("dense"));
    recipe.twinButton()->click();
    QCOMPARE(w.postedOf<command::CloseTwin>().size(), 1u);
  }
  void aDroppedTextIsAskedAboutInPlaceAndStartsANewRun() {
    test::PlayedWindow w;
    MainWindow window(w.context);
    window.show();
    w.start(1, runConfigOfPreset("mixtral"), 3);
    window.offerData("/no/such/file.txt");
    QCOMPARE(w.notices.count(), 1);
    const QString path = w.folder.filePath("words.txt");
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    QCOMPARE(file.write("some words"), 10);
    file.close();
    window.offerData(path);
    QVERIFY(w.notices.sentences().last().contains("words.txt"));
    w.notices.findChildren<QPushButton*>().last()->click();
    const auto starts = w.postedOf<command::Start>();
    QCOMPARE(starts.size(), 1u);
    QCOMPARE(QString::fromStdString(starts[0].config.data.source), path);
  }
  void panelsCloseComeBackAndAreRemembered() {
    test::PlayedWindow w;
    {
      MainWindow window(w.context);
      window.show();
      window.panelWidget("alerts")->parentWidget()->parentWidget()->parentWidget()->close();
      QVERIFY(!window.panelWidget("alerts")->isVisible());
      window.close();
    }
    MainWindow window(w.context);
    window.show();
    QVERIFY(!window.panelWidget("alerts")->isVisible());
    window.resetLayout();
    QVERIFY(window.panelWidget("alerts")->isVisible());
  }
  void presenterModeCutsNothingAtTheSides() {
    test::PlayedWindow w;
    w.theme.setPresenter(true);
    MainWindow window(w.context);
    window.resize(1280, 720);
    window.show();
    w.start(1, runConfigOfPreset("mixtral"), 0);
    for (std::int64_t step = 1; step <= 60; ++step) w.next.points.push_back(test::pointAt(1, step, 4, 8));
    w.status.alerts = {{1, 0, 3, 51, 0.02}};
    w.deliver();
    QTest::qWait(100);
    QCOMPARE(window.size(), QSize(1280, 720));  // nothing asks for more than there is
    w.theme.setPresenter(false);
  }
};
SWITCHYARD_TEST(TrainPageTest)
#include "train_page_test.moc"
