#include "core/telemetry/collapse_detector.h"

#include "tests/support/register.h"

using namespace moe;

namespace {

constexpr AlertConfig kConfig{.threshold = 0.05, .clears = 0.10, .window = 10};

/// One layer of four experts; expert 2 has `share`, the others divide the rest.
StepPoint pointOf(std::int64_t step, float share, double assignments = 100) {
  StepPoint point;
  point.step = step;
  LayerPoint layer;
  layer.layer = 3;
  layer.load = {(1 - share) / 3, (1 - share) / 3, share, (1 - share) / 3};
  layer.assignments = assignments;
  point.layers.push_back(layer);
  return point;
}

bool same(const RunEvent& a, const RunEvent& b) {
  return a.step == b.step && a.kind == b.kind && a.layer == b.layer && a.expert == b.expert &&
         a.utilization == b.utilization && a.text == b.text;
}

}  // namespace

class CollapseDetectorTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aDeadExpertAlertsAtTheStepThatFillsTheWindow() {
    CollapseDetector detector(7, kConfig);
    for (int step = 1; step < 10; ++step) QVERIFY(detector.update(pointOf(step, 0)).empty());
    const std::vector<RunEvent> events = detector.update(pointOf(10, 0));
    QCOMPARE(events.size(), std::size_t{1});
    QVERIFY(events[0].kind == RunEvent::Kind::alertRaised);
    QCOMPARE(events[0].run, RunId{7});
    QCOMPARE(events[0].step, std::int64_t{10});
    QCOMPARE(events[0].layer, 3);
    QCOMPARE(events[0].expert, 2);
    QCOMPARE(events[0].utilization, 0.0);
    QCOMPARE(detector.standing().size(), std::size_t{1});
    QCOMPARE(detector.standing()[0].since, std::int64_t{10});
  }
  void theAlertComesWithinOneStepOfTheCrossing() {
    // A fair share is 0.25, 5 % of it 0.0125: with n dead steps of 10 the mean is 0.25 (10 - n) / 10, below only at n = 10.
    CollapseDetector detector(1, kConfig);
    for (int step = 1; step <= 20; ++step) QVERIFY(detector.update(pointOf(step, 0.25f)).empty());
    for (int step = 21; step < 30; ++step) QVERIFY(detector.update(pointOf(step, 0)).empty());
    QCOMPARE(detector.update(pointOf(30, 0)).size(), std::size_t{1});
    QVERIFY(detector.update(pointOf(31, 0)).empty());
    QCOMPARE(detector.standing()[0].since, std::int64_t{30});
  }
  void exactlyAtTheThresholdIsNotBelowIt() {
    const AlertConfig config{.threshold = 0.5, .clears = 0.75, .window = 4};
    CollapseDetector detector(1, config);
    for (int step = 1; step <= 8; ++step) QVERIFY(detector.update(pointOf(step, 0.125f)).empty());
    QCOMPARE(detector.update(pointOf(9, 0.0625f)).size(), std::size_t{1});
  }
  void itClearsOnlyAtTheHigherMark() {
    const AlertConfig config{.threshold = 0.5, .clears = 0.75, .window = 4};
    CollapseDetector detector(1, config);
    std::int64_t step = 0;
    for (int i = 0; i < 4; ++i) detector.update(pointOf(++step, 0));
    QCOMPARE(detector.standing().size(), std::size_t{1});
    // Means of the window relative to the fair share, with 0.15625 (0.625 of it) coming in: below 0.75 for good.
    for (int i = 0; i < 8; ++i) QVERIFY(detector.update(pointOf(++step, 0.15625f)).empty());
    QCOMPARE(detector.standing().size(), std::size_t{1});
    QCOMPARE(detector.standing()[0].since, std::int64_t{4});
    QCOMPARE(detector.standing()[0].utilization, 0.625);
    // 0.1875 is exactly 0.75 of the fair share: the mean is there when the fourth has come.
    for (int i = 0; i < 3; ++i) QVERIFY(detector.update(pointOf(++step, 0.1875f)).empty());
    const std::vector<RunEvent> events = detector.update(pointOf(++step, 0.1875f));
    QCOMPARE(events.size(), std::size_t{1});
    QVERIFY(events[0].kind == RunEvent::Kind::alertCleared);
    QCOMPARE(events[0].step, step);
    QVERIFY(detector.standing().empty());
  }
  void aDetectorRestoredAnywhereGoesOnAsIfItHadSeenEverything() {
    const auto shareAt = [](int step) { return step < 12 ? 0.2f : step < 45 ? 0.001f * (step % 7) : 0.21f; };
    for (int cut = 1; cut < 70; cut += 3) {
      CollapseDetector whole(1, kConfig), first(1, kConfig), second(1, kConfig);
      for (int step = 1; step <= cut; ++step)
        whole.update(pointOf(step, shareAt(step))), first.update(pointOf(step, shareAt(step)));
      second.restore(first.state());
      int raised = 0;
      for (int step = cut + 1; step <= 80; ++step) {
        const auto a = whole.update(pointOf(step, shareAt(step))), b = second.update(pointOf(step, shareAt(step)));
        QCOMPARE(b.size(), a.size());
        for (std::size_t i = 0; i < a.size(); ++i) QVERIFY(same(a[i], b[i]));
        raised += static_cast<int>(a.size());
        QCOMPARE(second.standing().size(), whole.standing().size());
        for (std::size_t i = 0; i < whole.standing().size(); ++i) {
          QCOMPARE(second.standing()[i].since, whole.standing()[i].since);
          QCOMPARE(second.standing()[i].utilization, whole.standing()[i].utilization);
        }
      }
      if (cut < 15) QCOMPARE(raised, 2);
    }
  }
  void aLongerWindowWaitsUntilItIsFull() {
    CollapseDetector detector(1, kConfig);
    for (int step = 1; step <= 60; ++step) detector.update(pointOf(step, 0.2f));
    AlertConfig longer = kConfig;
    longer.window = 80;
    longer.threshold = 0.9;
    detector.configure(longer);
    // 50 steps are kept at least, so 30 more fill a window of 80.
    for (int step = 61; step < 90; ++step) QVERIFY(detector.update(pointOf(step, 0.2f)).empty());
    QCOMPARE(detector.update(pointOf(90, 0.2f)).size(), std::size_t{1});
  }
  void maxVioWeighsStepsByTheirAssignments() {
    LoadWindow window(10);
    window.push(pointOf(1, 0.25f, 300));
    window.push(pointOf(2, 1.0f, 100));
    // Expert 2: 75 + 100 of 400 assignments; the mean is 100.
    QCOMPARE(window.maxVio(2)[0], 0.75);
    QCOMPARE(window.maxVio(1)[0], 3.0);
  }
  void loadsOfAnotherModelAreForgotten() {
    LoadWindow window(10);
    window.push(pointOf(1, 0.25f));
    StepPoint other = pointOf(2, 0.5f);
    other.layers[0].load = {0.5f, 0.5f};
    window.push(other);
    QCOMPARE(window.size(), std::int64_t{1});
    QCOMPARE(window.utilization(10).size(), std::size_t{2});
  }
};
SWITCHYARD_TEST(CollapseDetectorTest)
#include "collapse_detector_test.moc"
