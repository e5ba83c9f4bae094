#include <algorithm>

#include "core/store/run_store.h"
#include "tests/support/register.h"
#include "tests/support/stored_points.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

namespace {

constexpr int kSteps = 3000, kExperts = 4;

struct Filled {
  TemporaryFolder folder;
  std::unique_ptr<RunStore> store = RunStore::open(folder / "runs.db", RunStore::Access::write);
  RunId run = store->createRun({});
  std::vector<StepPoint> points;

  Filled() {
    // Loads that neither rise nor fall, so that lowest, highest and last differ.
    std::uint32_t word = 1;
    for (StepPoint& point : points = pointsFrom(1, kSteps, kExperts))
      for (LayerPoint& layer : point.layers)
        for (float& load : layer.load)
          load = static_cast<float>((word = word * 1664525u + 1013904223u) >> 8) * 0x1p-24f;
    for (std::size_t i = 0; i < points.size(); i += 100) store->append(run, std::span(points).subspan(i, 100));
  }

  /// What the columns must be, from the points themselves.
  void compare(std::int64_t after, std::int64_t until, int columns) const {
    const auto layers = store->loads(run, after, until, columns);
    QCOMPARE(layers.size(), std::size_t{2});
    const std::int64_t last = std::min<std::int64_t>(until, kSteps);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      const LoadColumns& found = layers[l];
      QCOMPARE(found.layer, l == 0 ? 1 : 3);
      QCOMPARE(found.experts, kExperts);
      QVERIFY(static_cast<int>(found.firstStep.size()) <= columns && !found.firstStep.empty());
      QCOMPARE(found.low.size(), found.firstStep.size() * kExperts);
      QCOMPARE(found.firstStep.front(), after + 1);
      for (std::size_t c = 0; c < found.firstStep.size(); ++c) {
        const std::int64_t end = c + 1 < found.firstStep.size() ? found.firstStep[c + 1] : last + 1;
        QVERIFY(end > found.firstStep[c]);
        for (int e = 0; e < kExperts; ++e) {
          float low = 2, high = -1, newest = 0;
          for (std::int64_t step = found.firstStep[c]; step < end; ++step) {
            newest = points[static_cast<std::size_t>(step - 1)].layers[l].load[static_cast<std::size_t>(e)];
            low = std::min(low, newest);
            high = std::max(high, newest);
          }
          const std::size_t at = c * kExperts + static_cast<std::size_t>(e);
          QCOMPARE(found.low[at], low);
          QCOMPARE(found.high[at], high);
          QCOMPARE(found.last[at], newest);
        }
      }
    }
  }
};

}  // namespace

class StoredLoadsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyColumnHoldsTheExtremesOfExactlyItsSteps() {
    const Filled filled;
    // One step a column, single steps joined, the parts of the pyramid, its whole blocks, and all in one.
    for (const int columns : {3000, 1000, 250, 100, 12, 5, 1}) {
      filled.compare(0, INT64_MAX, columns);
      if (QTest::currentTestFailed()) return;
    }
  }
  void aRangeThatCutsBlocksIsExactAtItsEnds() {
    const Filled filled;
    for (const int columns : {500, 40, 3}) {
      filled.compare(100, 2900, columns);
      filled.compare(255, 257, columns);
      filled.compare(2999, 3000, columns);
      if (QTest::currentTestFailed()) return;
    }
    QVERIFY(filled.store->loads(filled.run, 5000, 6000, 10).empty());
  }
  void aColumnAStepWhereThereIsRoom() {
    const Filled filled;
    QCOMPARE(filled.store->loads(filled.run, 0, 500, 1000)[0].firstStep.size(), std::size_t{500});
  }
  void truncatedStepsLeaveThePyramid() {
    const Filled filled;
    filled.store->truncate(filled.run, 700);
    const auto layers = filled.store->loads(filled.run, 0, INT64_MAX, 2);
    float high = 0;
    for (int step = 0; step < 700; ++step)
      high = std::max(high, filled.points[static_cast<std::size_t>(step)].layers[0].load[0]);
    QCOMPARE(std::max(layers[0].high[0], layers[0].high[kExperts]), high);
  }
};
SWITCHYARD_TEST(StoredLoadsTest)
#include "stored_loads_test.moc"
