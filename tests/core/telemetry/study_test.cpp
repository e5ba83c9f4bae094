#include "core/telemetry/study.h"

#include <cmath>

#include "core/telemetry/health.h"
#include "tests/support/register.h"

using namespace moe;

namespace {

bool near(double a, double b) { return std::abs(a - b) < 1e-6; }

using Ids = std::vector<std::int32_t>;

RunStudy studyOf(std::int64_t step, const Ids& selections) {
  const Ids domain{0, 0, 1, 1}, ids{5, 5, 6, 6}, next{5, 6, 6, -1};
  RunStudy study;
  study.step = step;
  study.tokens = 4;
  study.domains = {"a", "b"};
  study.domainTokens = {2, 2};
  study.layers.push_back(studyLayer(3, {.table = selections, .slots = 2, .experts = 4}, {domain, ids, next, ids, 2}));
  return study;
}

}  // namespace

class StudyTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aLayerIsStudiedFromItsSelections() {
    const RunStudy study = studyOf(100, {0, 1, 0, 2, 3, 2, 3, 1});
    const LayerStudy& layer = study.layers[0];
    QCOMPARE(layer.layer, 3);
    QVERIFY(near(layer.coactivation[0 * 4 + 1], 0.5));  // expert 0 went twice, once with 1
    QVERIFY(near(layer.coactivation[2 * 4 + 3], 0.5));
    QCOMPARE(layer.coactivation[1 * 4 + 1], 0.0f);
    QVERIFY(near(layer.domains[0 * 4 + 0], 1));  // both tokens of domain a
    QVERIFY(near(layer.domains[1 * 4 + 2], 0.5));
    QVERIFY(near(layer.inputSpecialisation, 1));             // id 5 always first to 0, id 6 to 3
    QVERIFY(near(layer.nextSpecialisation, (1 + 0.5) / 2));  // next id 6 follows one of each; the last has no target
  }
  void tablesOfManyExpertsTellOfThoseChosenMost() {
    constexpr std::int64_t kExperts = 40'000;
    // Token t asks expert 100 t and, all but one, expert 39,999.
    Ids table, domain, ids;
    for (int t = 0; t < 300; ++t) {
      table.insert(table.end(), {100 * t, t == 7 ? -1 : 39'999});
      domain.push_back(t % 2);
      ids.push_back(t);
    }
    const LayerStudy layer =
        studyLayer(0, {.table = table, .slots = 2, .experts = kExperts}, {domain, ids, ids, ids, 2});
    QCOMPARE(layer.experts, 40'000);
    QVERIFY(layer.selections == table);
    QCOMPARE(layer.listed.size(), static_cast<std::size_t>(kStudiedExperts));
    QCOMPARE(layer.listed[3], 300);  // chosen once, as all of them: the first stand
    QCOMPARE(layer.listed.back(), 39'999);
    const auto listed = static_cast<std::size_t>(kStudiedExperts);
    QCOMPARE(layer.coactivation.size(), listed * listed);
    QCOMPARE(layer.coactivation[3 * listed + listed - 1], 1.0f);
    QVERIFY(near(layer.coactivation[(listed - 1) * listed + 3], 1 / 299.0));
    QCOMPARE(layer.domains.size(), 2 * listed);
    QVERIFY(near(layer.domains[listed - 1], 1) && near(layer.domains[2 * listed - 1], 149 / 150.0));
    QVERIFY(near(evenShares(layer)[1], 599 / 300.0 / kExperts));
    QVERIFY(near(layer.inputSpecialisation, 1));
  }
  void whereSlotsAreExpertsTheFirstChoiceIsTheLargestWeight() {
    // Columns are experts: expert 0 is named first by every token that has it, whatever its weight.
    const Ids table{0, 1, 0, 1, 0, -1, -1, -1}, domain{0, 0, 0, 0}, ids{5, 5, 6, 7};
    const std::vector<double> weights{0.2, 0.8, 0.6, 0.4, 0.1, 0, 0, 0};
    QCOMPARE(heaviestChoices(table, 2, weights), (Ids{1, 0, 0, -1}));
    const StudyText text{domain, ids, ids, ids, 1};
    const LayerStudy layer = studyLayer(0, {.table = table, .slots = 2, .experts = 2, .weights = weights}, text);
    QVERIFY(near(layer.inputSpecialisation, (0.5 + 1 + 0) / 3));  // id 5 once to each, id 6 to 0, id 7 to none
    QVERIFY(near(layer.domains[0], 0.75));                        // assignments of expert choice count one each
  }
  void whereEveryTokenAsksEveryExpertDomainsCountByWeight() {
    const Ids table{0, 1, 0, 1}, domain{0, 1}, ids{5, 6};
    const std::vector<double> weights{0.9, 0.1, 0.3, 0.7};
    const LayerStudy layer = studyLayer(
        0, {.table = table, .slots = 2, .experts = 2, .weights = weights, .weighed = true}, {domain, ids, ids, ids, 2});
    QVERIFY(near(layer.domains[0], 0.9) && near(layer.domains[3], 0.7));
  }
  void churnLooksBackAndSaturationLooksAtTheNewest() {
    const RunStudy first = studyOf(0, {0, 1, 0, 2, 3, 2, 3, 1}), second = studyOf(100, {1, 0, 0, 3, 3, 2, 3, 1}),
                   third = studyOf(200, {1, 2, 0, 3, 3, 2, 3, 1});
    const RunStudy* all[] = {&first, &second, &third};
    const auto changes = studyChanges(all, 0);
    QVERIFY(!changes[0].churn);
    QVERIFY(near(*changes[1].churn, 1 / 8.0));  // only 2 -> 3 of the second token
    QVERIFY(near(*changes[2].churn, 1 / 8.0));
    QVERIFY(near(*changes[0].saturation, (0.5 + 0.5 + 1 + 1) / 4));
    QVERIFY(near(*changes[2].saturation, 1));
  }
  void whatCannotBeComparedSaysNothing() {
    RunStudy first = studyOf(0, {0, 1, 0, 2, 3, 2, 3, 1}), second = studyOf(100, {1, 0, 0, 3, 3, 2, 3, 1});
    first.layers[0].experts = 5;  // an expert was taken away in between
    const RunStudy* all[] = {&first, &second};
    const auto changes = studyChanges(all, 0);
    QVERIFY(!changes[0].saturation);
    QVERIFY(!changes[1].churn);
    QVERIFY(changes[1].saturation);
  }
  void globalMaxVioIsTheMeanOfTheLayers() {
    RunStudy study = studyOf(0, {0, 1, 0, 2, 3, 2, 3, 1});
    QVERIFY(!study.maxVioGlobal());
    study.layers.push_back(study.layers[0]);
    study.layers[0].maxVioGlobal = 0.5f;
    study.layers[1].maxVioGlobal = 0.1f;
    QVERIFY(near(*study.maxVioGlobal(), 0.3));
  }
};
SWITCHYARD_TEST(StudyTest)
#include "study_test.moc"
