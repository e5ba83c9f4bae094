#include "core/telemetry/study.h"

#include <cmath>

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
  study.layers.push_back(studyLayer(3, selections, 2, 4, {domain, ids, next, ids, 2, 8}));
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
    QVERIFY(near(layer.domains[0 * 4 + 0], 1));         // both tokens of domain a
    QVERIFY(near(layer.domains[1 * 4 + 2], 0.5));
    QVERIFY(near(layer.inputSpecialisation, 1));        // id 5 always first to 0, id 6 to 3
    QVERIFY(near(layer.nextSpecialisation, (1 + 0.5) / 2));  // next id 6 follows one of each; the last has no target
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
