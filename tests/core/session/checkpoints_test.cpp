#include "core/session/checkpoints.h"

#include "core/base/error.h"
#include "tests/support/register.h"
#include "tests/support/small_checkpoint.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/write_limit.h"

using namespace moe;

namespace {

CheckpointRow rowAt(std::int64_t step, bool healthy = true, bool pinned = false) {
  CheckpointRow row;
  row.run = 1;
  row.step = step;
  row.healthy = healthy;
  row.pinned = pinned;
  return row;
}

RunEvent alertAt(std::int64_t step) {
  RunEvent event;
  event.run = 1;
  event.step = step;
  event.kind = RunEvent::Kind::alertRaised;
  return event;
}

std::vector<std::int64_t> gone(const std::vector<CheckpointRow>& rows, const std::vector<RunEvent>& events) {
  std::vector<std::int64_t> steps;
  for (const CheckpointRow& row : expendable(rows, events)) steps.push_back(row.step);
  std::sort(steps.begin(), steps.end());
  return steps;
}

}  // namespace

class CheckpointsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theNewestThreeAndThePinnedStay() {
    QVERIFY(gone({rowAt(0), rowAt(100), rowAt(200)}, {}).empty());
    QCOMPARE(gone({rowAt(300), rowAt(0), rowAt(100, true, true), rowAt(200), rowAt(400)}, {}),
             std::vector<std::int64_t>{0});
  }
  void theOneThatAnAlertsRemedyOffersStays() {
    const std::vector<CheckpointRow> rows{rowAt(0),          rowAt(100),        rowAt(200, false),
                                          rowAt(300, false), rowAt(400, false), rowAt(500, false)};
    QCOMPARE(gone(rows, {}), (std::vector<std::int64_t>{0, 100, 200}));
    QCOMPARE(gone(rows, {alertAt(150), alertAt(160)}), (std::vector<std::int64_t>{0, 200}));
    QCOMPARE(gone(rows, {alertAt(50), alertAt(160)}), std::vector<std::int64_t>{200});
  }
  void withoutRoomForANewOneThoseThatArentNeededGoFirst() {
    const test::TemporaryFolder folder;
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
    const RunId run = store->createRun({});
    const auto keep = [&](std::int64_t step, bool pinned) {
      Checkpoint checkpoint = test::smallCheckpoint();
      checkpoint.run = run;
      checkpoint.state.step = step;
      checkpoint.state.parameters.push_back(
          {"z large", hostTensor({1 << 18}, DType::f32)});  // a file larger than the store's
      keepCheckpoint(*store, folder / "run", checkpoint, true, pinned);
    };
    for (const std::int64_t step : {0, 10, 20, 30}) keep(step, step == 0);
    {
      const test::WriteLimit full(1'000'000);
      QVERIFY_EXCEPTION_THROWN(keep(40, false), NoRoom);
    }
    std::vector<std::int64_t> steps;
    for (const CheckpointRow& row : store->checkpoints(run)) steps.push_back(row.step);
    QCOMPARE(steps, (std::vector<std::int64_t>{0, 20, 30}));  // with the new one the newest three, and the pinned
    for (const char* gone : {"step-10", "step-40"}) QVERIFY2(!std::filesystem::exists(folder / "run" / gone), gone);
    QCOMPARE(loadCheckpoint(folder / "run").state.step, std::int64_t{30});
    keep(40, false);
    QCOMPARE(loadCheckpoint(folder / "run").state.step, std::int64_t{40});
  }
  void whatIsLetGoLeavesTheDiskAndTheStore() {
    const test::TemporaryFolder folder;
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
    RunSummary first;
    first.name = "a run";
    const RunId run = store->createRun(first);
    for (const std::int64_t step : {0, 10, 20, 30, 40}) {
      Checkpoint checkpoint = test::smallCheckpoint();
      checkpoint.run = run;
      checkpoint.state.step = step;
      keepCheckpoint(*store, folder / "run", checkpoint, step != 40, step == 0);
    }
    std::vector<std::int64_t> steps;
    for (const CheckpointRow& row : store->checkpoints(run)) {
      steps.push_back(row.step);
      QCOMPARE(row.bytes, bytesOf(row.path));
      QVERIFY(row.healthy == (row.step != 40));
    }
    QCOMPARE(steps, (std::vector<std::int64_t>{0, 20, 30, 40}));
    QVERIFY(!std::filesystem::exists(folder / "run" / "step-10"));
    QCOMPARE(loadCheckpoint(folder / "run").state.step, std::int64_t{40});
    // Written again at the same step, it stays pinned.
    Checkpoint again = test::smallCheckpoint();
    again.run = run;
    again.state.step = 0;
    QVERIFY(keepCheckpoint(*store, folder / "run", again, true, false).pinned);
  }
  void goingBackDropsWhatCameAfter() {
    const test::TemporaryFolder folder;
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
    const RunId run = store->createRun({});
    std::vector<StepPoint> points(12);
    for (std::size_t i = 0; i < points.size(); ++i)
      points[i].run = run, points[i].step = static_cast<std::int64_t>(i + 1);
    store->append(run, points);
    CheckpointRow middle;
    for (const std::int64_t step : {0, 6}) {
      Checkpoint checkpoint = test::smallCheckpoint();
      checkpoint.run = run;
      checkpoint.state.step = step;
      const CheckpointRow row = keepCheckpoint(*store, folder / "run", checkpoint, true, false);
      if (step == 6) middle = row;
    }
    store->removeCheckpoint(run, 6);  // as if a crash had come between the folder and its row
    QVERIFY(isNewest(*store, middle));
    rewindRun(*store, middle);
    QCOMPARE(store->points(run).size(), std::size_t{6});
    QCOMPARE(store->checkpoints(run).size(), std::size_t{2});
    QCOMPARE(loadCheckpoint(folder / "run").state.step, std::int64_t{6});
  }
};
SWITCHYARD_TEST(CheckpointsTest)
#include "checkpoints_test.moc"
