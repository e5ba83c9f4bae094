#include "core/telemetry/health.h"

#include <cmath>
#include <limits>

#include "core/telemetry/router_health.h"
#include "tests/support/register.h"

using namespace moe;

namespace {

using Table = std::vector<std::int32_t>;

bool near(double a, double b) { return std::abs(a - b) <= 1e-12 * std::max(1.0, std::abs(b)); }

}  // namespace

class HealthTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void loadsAreMeasuredAgainstTheirMean() {
    const std::vector<std::int64_t> counts{6, 2, 0, 4};  // mean 3
    const LoadHealth health = loadHealth(counts);
    QVERIFY(near(health.maxVio, 1));
    QVERIFY(near(health.minOverMean, 0));
    QVERIFY(near(health.avgVio, (3 + 1 + 3 + 1) / 12.0));
    QVERIFY(near(health.cv2, (9 + 1 + 9 + 1) / 4.0 / 9));
    QCOMPARE(health.unused, 1);
    const double entropy = -(0.5 * std::log(0.5) + std::log(1 / 6.0) / 6 + std::log(1 / 3.0) / 3);
    QVERIFY(near(health.entropy, entropy / std::log(4)));
    QVERIFY(near(loadFraction(counts)[1], 1 / 6.0));
    QVERIFY(near(utilization(counts)[3], 4 / 3.0));
  }
  void anEmptyWindowIsNeitherBalancedNorInfinite() {
    const std::vector<std::int64_t> counts{0, 0};
    const LoadHealth health = loadHealth(counts);
    QCOMPARE(health.maxVio, 0.0);
    QCOMPARE(health.entropy, 0.0);
    QCOMPARE(health.unused, 2);
    QCOMPARE(loadFraction(counts)[0], 0.0);
    QCOMPARE(utilization(counts)[0], 0.0);
  }
  void maxVioOfABatchCountsItsOwnTokens() {
    const Table table{0, 1, 0, 1, 2, 2, 2, -1};  // slots 1: tokens 0..7
    const Table batch{0, 0, 0, 1, 1, 1, 1, 1};
    const std::vector<double> vio = maxVioByGroup(table, 1, 3, batch, 2);
    QVERIFY(near(vio[0], 1));                  // counts 2 1 0, mean 1
    QVERIFY(near(vio[1], 3 / (4 / 3.0) - 1));  // counts 0 1 3
  }
  void aTokenIsDroppedWhenNoneOfItsSlotsIsAdmitted() {
    const Table final{0, -1, -1, -1, 2, 1};
    const DropHealth health = dropHealth(final, 2, 6, 3);
    QVERIFY(near(health.dropRate, 0.5));
    QVERIFY(near(health.tokenDropRate, 1 / 3.0));
  }
  void certainTokensThatDisagreeCarryInformation() {
    const std::vector<double> certain{1, 0, 0, 1};
    const RouterHealth health = routerHealth<double>(certain, 2);
    QVERIFY(near(health.entropy, 0));
    QVERIFY(near(health.mutualInformation, std::log(2)));
    QVERIFY(near(health.importanceCv2, 0));
  }
  void sigmoidScoresAreNormalisedFirst() {
    const std::vector<float> scores{0.5F, 0.5F, 0.25F, 0.75F}, doubled{1, 1, 0.125F, 0.375F};
    QVERIFY(near(routerHealth<float>(scores, 2).entropy, routerHealth<float>(doubled, 2).entropy));
    QVERIFY(near(routerHealth<float>(scores, 2).importanceCv2, 0.0625));
  }
  void zLossIsTheMeanSquareOfLogSumExp() {
    const std::vector<double> logits{0, 0, 1000, 0};
    QVERIFY(near(zLoss<double>(logits, 2), (std::log(2) * std::log(2) + 1e6) / 2));
  }
  void theMarginReachesFromTheLeastSelectedToTheBestLeftOut() {
    constexpr double kMasked = -std::numeric_limits<double>::infinity();
    const std::vector<double> ranking{5, 3, 2, 1, /**/ 1, 2, kMasked, kMasked, /**/ 4, 4, 4, 1};
    const Table table{0, 1, 1, 0, 2, 0};
    QVERIFY(near(meanMargin<double>(ranking, 4, table, 2), ((3 - 2) + (4 - 4)) / 2.0));
  }
  void saturationIgnoresTheOrderAndItsFirstChoiceDoesNot() {
    const Table now{0, 1, 2, 3}, then{1, 0, 2, 0};
    QVERIFY(near(saturation(now, then, 2), (1 + 0.5) / 2));
    QVERIFY(near(firstChoiceSaturation(now, then, 2), 0.5));
  }
  void saturationCountsWhatTheReferenceChose() {
    const Table now{0, -1, 1, 2, 3, -1}, then{0, -1, 1, -1, -1, -1};  // the last token chose nothing: left out
    QVERIFY(near(saturation(now, then, 2), 1));
    QVERIFY(near(saturation(Table{0, 2, 3, -1}, Table{0, 1, 3, 2}, 2), 0.5));
  }
  void churnIsTheShareOfAssignmentsThatAreNew() {
    const Table before{0, 1, 2, 3, 1, 0}, swapped{1, 0, 3, 2, 0, 1}, after{0, 2, 2, 3, 3, 2};
    QCOMPARE(churn(before, 2, swapped, 2), 0.0);                  // only the order changed: no assignment did
    QVERIFY(near(churn(before, 2, after, 2), 3 / 6.0));           // one of the first token's two, both of the last's
    QVERIFY(near(churn(Table{0, 1, 2}, 1, before, 2), 5 / 6.0));  // k grew from 1 to 2: one of six stayed
    QCOMPARE(churn(before, 2, Table{-1, -1, -1}, 1), 0.0);
  }
  void jaccardTakesSetsOfDifferentSizes() {
    const Table a{0, 1, -1, -1, -1, -1}, b{0, 2, -1, -1};
    QVERIFY(near(meanJaccard(a, 3, b, 2), (1 / 3.0 + 1) / 2));
  }
  void coactivationCountsAllPairsOfSlots() {
    const Table table{0, 1, 2, 0, 2, 1, 2, -1, -1};
    const auto pairs = coactivation(table, 3, 4);
    QCOMPARE(pairs[0 * 4 + 2], 2);  // ranks 0 and 2, then ranks 0 and 1
    QCOMPARE(pairs[1 * 4 + 2], 2);
    QCOMPARE(pairs[2 * 4 + 2], 0);
    const auto counts = countSelections(table, 4);
    QCOMPARE(counts[2], 3);
    const auto given = coactivationGivenRow(pairs, counts);
    QVERIFY(near(given[2 * 4 + 0], 2 / 3.0));
    QCOMPARE(given[3 * 4 + 0], 0.0);
  }
  void specialisationIsAShareOfTheGroupsTokens() {
    const Table table{0, 1, 0, 2, 1, 0}, domain{1, 1, 0};
    const auto share = specialisation(table, 2, 3, domain, 3);
    QVERIFY(near(share[1 * 3 + 0], 1));
    QVERIFY(near(share[1 * 3 + 2], 0.5));
    QVERIFY(near(share[0 * 3 + 1], 1));
    QCOMPARE(share[2 * 3 + 0], 0.0);
    QCOMPARE(firstChoices(table, 2), (Table{0, 0, 1}));
    QVERIFY(near(meanLargestShare(firstChoices(table, 2), domain), 1));
    QVERIFY(near(meanLargestShare(Table{0, 1, 0}, Table{0, 0, 0}), 2 / 3.0));
    QVERIFY(near(meanLargestShare(Table{0, -1, -1, -1, 3}, Table{7, 7, 7, -1, 900'000}),
                 (1 / 3.0 + 1) / 2));  // none is no expert
  }
};
SWITCHYARD_TEST(HealthTest)
#include "health_test.moc"
