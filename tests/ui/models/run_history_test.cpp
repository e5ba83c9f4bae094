#include "ui/models/run_history.h"

#include "core/explain/explanation.h"
#include "core/telemetry/layer_counts.h"
#include "tests/support/played_window.h"
#include "tests/support/register.h"
#include "ui/models/curves.h"
#include "ui/models/run_marks.h"

using namespace moe;
using namespace moe::ui;

namespace {
RunEvent happened(RunEvent::Kind kind, std::int64_t step, int layer = -1, int expert = -1) {
  RunEvent e;
  e.run = 1, e.kind = kind, e.step = step, e.layer = layer, e.expert = expert;
  return e;
}
}  // namespace

class RunHistoryTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void loadsAreKeptAsMultiplesOfTheFairShare() {
    RunColumns run;
    StepPoint point = test::pointAt(1, 1, 1, 4);
    point.layers[0].load = {0.5f, 0.25f, 0.25f, 0.0f};
    run.append(point);
    QCOMPARE(run.layers()[0].load.row(0)[0], 2.0f);
    QCOMPARE(run.layers()[0].load.row(0)[3], 0.0f);
  }
  void aStepThatComesAgainReplacesItAndAllAfterIt() {
    RunColumns run;
    for (int step = 1; step <= 20; ++step) run.append(test::pointAt(1, step));
    const int before = run.revision();
    StepPoint again = test::pointAt(1, 11);
    again.loss = 42;
    run.append(again);
    QCOMPARE(run.lastStep(), 11);
    QCOMPARE(run.size(), 11u);
    QCOMPARE(*run.valueAt(Metric::loss, 0, 10), 42.0);
    QVERIFY(run.revision() != before);
  }
  void validationIsTheNewestThereIsAndAbsentBeforeTheFirst() {
    RunColumns run;
    for (int step = 1; step <= 5; ++step) {
      StepPoint point = test::pointAt(1, step);
      if (step == 3) point.validationLoss = 2.5;
      run.append(point);
    }
    QVERIFY(!run.valueAt(Metric::validationLoss, 0, 1));
    QCOMPARE(*run.valueAt(Metric::validationLoss, 0, 4), 2.5);
  }
  void theBalancersPullIsOfOneStep() {
    RunColumns run;
    QVERIFY(!run.balancerMeasuredAt(0));
    for (int step = 1; step <= 45; ++step) {
      StepPoint point = test::pointAt(1, step, 2);
      for (LayerPoint& layer : point.layers) {
        if (step % 10 == 1) layer.balanceGradient = 0.01f * static_cast<float>(step);
        if (step == 1 || step == 21) layer.languageGradient = 1;
      }
      run.append(point);
    }
    // The terms were looked at in step 41, the language loss in step 21: the ratio is of step 21.
    QCOMPARE(run.balancerMeasuredAt(44), std::optional<std::size_t>(20));
    QCOMPARE(*balancerShare(run.pointAt(20).layers[1]), static_cast<double>(0.01f * 21));
    QCOMPARE(run.balancerMeasuredAt(19), std::optional<std::size_t>(0));
    const LayerPoint newest = run.pointAt(44).layers[0];
    QCOMPARE(newest.balanceGradient, 0.01f * 41);
    QVERIFY(!balancerShare(newest));
    const std::string said = explain(Metric::balanceGradient, newest, 45, RunFacts{}).values;
    QVERIFY2(said.find("was not measured at this step") != std::string::npos, said.c_str());
  }
  void aCurveIsThinnedToItsColumnsAndKeepsItsExtremes() {
    RunColumns run;
    for (int step = 1; step <= 5000; ++step) {
      StepPoint point = test::pointAt(1, step, 1, 2);
      point.loss = step == 3333 ? 99 : 2;
      run.append(point);
    }
    std::vector<double> x, y;
    curveOf(x, y, run, Metric::loss, 0, 0, 5000, 200);
    QVERIFY(x.size() <= 400);
    QCOMPARE(*std::max_element(y.begin(), y.end()), 99.0);
    QVERIFY(std::is_sorted(x.begin(), x.end()));
  }
  void aForkBeginsWithItsParentsPast() {
    test::PlayedWindow w;
    w.start(1, runConfigOfPreset("mixtral"), 30);
    RunSummary fork;
    fork.id = 2, fork.parent = 1, fork.parentStep = 12;
    w.next.startedRuns.push_back(fork);
    w.next.points.push_back(test::pointAt(2, 13));
    w.status.run = 2;
    w.deliver();
    QCOMPARE(w.history.main(), 2);
    QCOMPARE(w.history.mainRun()->columns.firstStep(), 1);
    QCOMPARE(w.history.mainRun()->columns.lastStep(), 13);
    QVERIFY(!w.history.find(1));
  }
  void anOverlayStaysUntilItIsRemoved() {
    test::PlayedWindow w;
    w.start(5, runConfigOfPreset("mixtral"), 3);
    RunSummary stored;
    stored.id = 3;
    w.history.addOverlay(stored, {test::pointAt(3, 1), test::pointAt(3, 90)}, {});
    QCOMPARE(w.history.onScreen(), (std::vector<RunId>{5, 3}));
    QCOMPARE(w.history.newestStep(), 90);
    w.history.removeOverlay(3);
    QVERIFY(!w.history.find(3));
  }
  void marksNameTheKnobAndBothValues() {
    RunEvent knob = happened(RunEvent::Kind::knob, 10);
    knob.path = "balance.0.coefficient", knob.oldValue = "0", knob.newValue = "0.01";
    QCOMPARE(markLabel(knob), QString::fromUtf8("balance coefficient 0 \u2192 0.01"));
    QCOMPARE(shortName("select.k"), QString("k"));
    QCOMPARE(shortName("train.learning_rate"), QString("learning rate"));
    QVERIFY(isMarked(knob));
    QVERIFY(!isMarked(happened(RunEvent::Kind::checkpoint, 1)));
  }
  void anAlertSpansFromItsRaisingToItsClearing() {
    using K = RunEvent::Kind;
    const auto spans = alertSpans(
        {happened(K::alertRaised, 10, 0, 3), happened(K::alertRaised, 12, 1, 3), happened(K::alertCleared, 40, 0, 3)});
    QCOMPARE(spans, (std::vector<AlertSpan>{{0, 3, 10, 40}, {1, 3, 12, -1}}));
  }
};
SWITCHYARD_TEST(RunHistoryTest)
#include "run_history_test.moc"
