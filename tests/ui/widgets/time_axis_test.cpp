#include "ui/widgets/time_axis.h"

#include "tests/support/register.h"
#include "ui/widgets/plot_grid.h"

using namespace moe::ui;

class TimeAxisTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void itFollowsTheNewestStepUntilThePersonZooms() {
    TimeAxis time;
    time.setNewest(400);
    QCOMPARE(time.last(), 400.0);
    time.zoom(0.5, 200);
    QVERIFY(!time.following());
    QCOMPARE(time.first(), 100.0);
    QCOMPARE(time.last(), 300.0);
    time.setNewest(500);
    QCOMPARE(time.last(), 300.0);
    time.follow();
    QCOMPARE(time.first(), 0.0);
    QCOMPARE(time.last(), 500.0);
  }
  void itNeverLeavesTheRun() {
    TimeAxis time;
    time.setNewest(400);
    time.show(100, 200);
    time.pan(-1000);
    QCOMPARE(time.first(), 0.0);
    QCOMPARE(time.last(), 100.0);
    time.pan(1000);
    QCOMPARE(time.last(), 400.0);
    time.zoom(1000, 200);
    QCOMPARE(time.first(), 0.0);
    QCOMPARE(time.last(), 400.0);
    for (int i = 0; i < 50; ++i) time.zoom(0.5, 200);
    QVERIFY(time.last() - time.first() >= 1);
  }
  void ticksAreRoundAndFew() {
    for (const double last : {3.0, 49.0, 1000.0, 123456.0}) {
      const StepTicks ticks = stepTicks(0, last, 6);
      QVERIFY(ticks.count >= 2 && ticks.count <= 7);
      QVERIFY(ticks.every >= 1);
    }
    QCOMPARE(stepTicks(0, 1000, 6).every, 200.0);
  }
  void plotsFillTheirRoomWithWholeRows() {
    const auto wide = PlotGrid::arrange(6, {1500, 560}, {220, 140}, 6);
    QCOMPARE(wide.rows * wide.columns, 6);
    QVERIFY(wide.rows * (wide.rowHeight + 6) - 6 <= 560);
    const auto narrow = PlotGrid::arrange(6, {300, 300}, {220, 140}, 6);
    QCOMPARE(narrow.columns, 1);
    QCOMPARE(narrow.rowHeight, 147);  // two whole rows, the rest is scrolled to
    QCOMPARE(PlotGrid::arrange(1, {100, 50}, {220, 140}, 6).rowHeight, 140);
  }
};
SWITCHYARD_TEST(TimeAxisTest)
#include "time_axis_test.moc"
