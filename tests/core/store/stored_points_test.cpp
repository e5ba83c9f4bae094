#include <algorithm>
#include <limits>

#include "core/base/error.h"
#include "core/store/run_store.h"
#include "tests/support/register.h"
#include "tests/support/stored_points.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

namespace {

struct Filled {
  TemporaryFolder folder;
  std::unique_ptr<RunStore> store = RunStore::open(folder / "runs.db", RunStore::Access::write);
  RunId run = store->createRun({});
  void append(std::vector<StepPoint> points, std::size_t atOnce) {
    for (std::size_t i = 0; i < points.size(); i += atOnce)
      store->append(run, std::span(points).subspan(i, std::min(atOnce, points.size() - i)));
  }
};

}  // namespace

class StoredPointsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void pointsComeBackEqualHoweverManyAreAppendedAtOnce() {
    for (const std::size_t atOnce : {1u, 7u, 255u, 256u, 257u, 700u}) {
      Filled filled;
      filled.append(pointsFrom(1, 700), atOnce);
      QVERIFY(same(filled.store->points(filled.run), pointsFrom(1, 700)));
      QVERIFY(same(filled.store->points(filled.run, 250, 260), pointsFrom(251, 260)));
    }
  }
  void appendsGoOnAfterTheStoreWasClosed() {
    Filled filled;
    filled.append(pointsFrom(1, 200), 1);
    filled.store.reset();
    filled.store = RunStore::open(filled.folder / "runs.db", RunStore::Access::write);
    filled.append(pointsFrom(201, 600), 1);
    QVERIFY(same(filled.store->points(filled.run), pointsFrom(1, 600)));
  }
  void loadsAreLeftOutWhereTheyAreNotAskedFor() {
    Filled filled;
    filled.append(pointsFrom(1, 300), 10);
    auto expected = pointsFrom(1, 300);
    for (StepPoint& point : expected)
      for (LayerPoint& layer : point.layers) layer.load.clear();
    QVERIFY(same(filled.store->points(filled.run, 0, INT64_MAX, 0, false), expected));
  }
  void aStepAlreadyThereIsRefusedAndNothingOfTheAppendStays() {
    Filled filled;
    filled.append(pointsFrom(1, 10), 10);
    const std::vector<StepPoint> wrong{pointAt(11), pointAt(9)};
    const std::string said = sentenceOf([&] { filled.store->append(filled.run, wrong); });
    QVERIFY2(said.find("behind step 11, found step 9") != std::string::npos, said.c_str());
    QVERIFY(same(filled.store->points(filled.run), pointsFrom(1, 10)));
    filled.append(pointsFrom(11, 600), 1);
    QVERIFY(same(filled.store->points(filled.run), pointsFrom(1, 600)));
  }
  void truncatingCutsOpenAndClosedBlocksAndTheRunGoesOn() {
    for (const std::int64_t cut : {0, 1, 100, 256, 257, 599, 600}) {
      Filled filled;
      filled.append(pointsFrom(1, 600), 50);
      filled.store->truncate(filled.run, cut);
      QVERIFY(same(filled.store->points(filled.run), pointsFrom(1, cut)));
      filled.append(pointsFrom(cut + 1, 900), 33);
      QVERIFY(same(filled.store->points(filled.run), pointsFrom(1, 900)));
    }
  }
  void anotherNumberOfExpertsOrTermsBeginsAnotherBlock() {
    Filled filled;
    auto points = pointsFrom(1, 300, 4);
    for (const StepPoint& point : pointsFrom(301, 650, 6)) points.push_back(point);
    for (std::size_t i = 500; i < 650; ++i)
      for (LayerPoint& layer : points[i].layers) {
        layer.balance.pop_back();
        if (!layer.termGradient.empty()) layer.termGradient.pop_back();
      }
    filled.append(points, 9);
    QVERIFY(same(filled.store->points(filled.run), points));
  }
  void pointsWithoutExpertLayersAreKeptToo() {
    Filled filled;
    auto points = pointsFrom(1, 300);
    for (StepPoint& point : points) point.layers.clear();
    filled.append(points, 20);
    QVERIFY(same(filled.store->points(filled.run), points));
    QVERIFY(filled.store->loads(filled.run, 0, INT64_MAX, 10).empty());
  }
  void aLossThatIsNoNumberStaysOne() {
    Filled filled;
    auto points = pointsFrom(1, 3);
    points[1].loss = std::numeric_limits<double>::quiet_NaN();
    points[2].loss = std::numeric_limits<double>::infinity();
    filled.append(points, 3);
    const auto read = filled.store->points(filled.run);
    QVERIFY(std::isnan(read[1].loss) && std::isinf(read[2].loss));
  }
  void thinningKeepsTheSpikesTheDipsAndTheValidation() {
    Filled filled;
    auto points = pointsFrom(1, 5000);
    points[1234].loss = 99;
    points[3210].loss = -1;
    points[4000].loss = std::numeric_limits<double>::quiet_NaN();
    filled.append(points, 1000);
    const auto thin = filled.store->points(filled.run, 0, INT64_MAX, 90, false);
    QVERIFY(thin.size() <= 90 && thin.size() >= 60);
    const auto has = [&](std::int64_t step) {
      return std::any_of(thin.begin(), thin.end(), [&](auto& p) { return p.step == step; });
    };
    QVERIFY(has(1235) && has(3211) && has(4001));
    QVERIFY(std::is_sorted(thin.begin(), thin.end(), [](auto& a, auto& b) { return a.step < b.step; }));
    QVERIFY(std::count_if(thin.begin(), thin.end(), [](auto& p) { return p.validationLoss.has_value(); }) >= 25);
    QCOMPARE(thin.front().layers.size(), std::size_t{2});
    QCOMPARE(filled.store->points(filled.run, 0, INT64_MAX, 2, false).size(), std::size_t{2});
  }
};
SWITCHYARD_TEST(StoredPointsTest)
#include "stored_points_test.moc"
