#include "core/explain/explanation.h"

#include <cmath>

#include "core/telemetry/figure_text.h"
#include "core/telemetry/layer_counts.h"
#include "tests/support/register.h"

using namespace moe;

namespace {

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }
#define SAYS(text, part) QVERIFY2(has(text, part), (text).c_str())

/// Counts 412, 100, 256, 256 of 1024.
LayerPoint layerPoint() {
  LayerPoint layer;
  layer.layer = 2;
  layer.assignments = 1024;
  for (const int count : {412, 100, 256, 256}) layer.load.push_back(static_cast<float>(count) / 1024);
  layer.maxVio = 412.0f / 256 - 1;
  layer.cv2 = 0.188f;
  layer.dropRate = 0.25f;
  layer.routerEntropy = 1.1f;
  layer.meanProbEntropy = 1.3f;
  layer.balanceGradient = 0.002f;
  layer.languageGradient = 0.1f;
  layer.termGradient = {0.002f, 0};
  return layer;
}

RunFacts facts() {
  RunFacts facts;
  facts.tokens = 512;
  facts.slots = 2;
  facts.totalParameters = 4'600'000;
  facts.activeParameters = 1'700'000;
  facts.deadBelow = 0.05;
  facts.deadClears = 0.1;
  facts.deadWindow = 50;
  facts.parts = {{"embedding", 600'000}, {"experts", 4'000'000}};
  facts.memory = {.parameterBytes = 16, .tokenBytes = 10240, .tokens = 512, .other = 16 << 20};
  facts.terms = {
      {.label = "Load",
       .formula = "E \u03a3 f P",
       .coefficient = 0.01,
       .copies = 4,
       .atBalance = 1,
       .timesAssignments = true,
       .convention = "Hugging Face"},
      {.label = "z-loss", .formula = "mean (log \u03a3 exp z)\u00b2", .coefficient = 0.001, .z = true, .copies = 4}};
  return facts;
}

StepPoint point() {
  StepPoint point;
  point.step = 400;
  point.loss = 2;
  point.auxLoss = 0.0848;
  point.zLoss = 0.012;
  point.tokensPerSecond = 1024;
  point.balance = {2.12f, 3};
  point.layers = {layerPoint()};
  return point;
}

}  // namespace

class ExplanationTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void numbersHaveTheDigitsThatCount() {
    QCOMPARE(figureText(0.609375), std::string("0.609"));
    QCOMPARE(figureText(256.0), std::string("256"));
    QCOMPARE(figureText(4096.0), std::string("4,096"));
    QCOMPARE(figureText(-1234567.0), std::string("-1,234,567"));
    QCOMPARE(figureText(0.0000123), std::string("1.23e-05"));
    QCOMPARE(figureText(NAN), std::string("\u2013"));
  }
  void maxVioIsWrittenWithItsCounts() {
    const Explanation text = explain(Metric::maxVio, layerPoint(), 400, facts());
    QCOMPARE(text.name, std::string("MaxVio, layer 2, step 400"));
    SAYS(text.values, "412 / 256");
    SAYS(text.values, "1 = 0.609");
  }
  void everyQuantityOfALayerSaysFormulaAndValue() {
    for (const MetricRow& row : metricsOfLayers()) {
      const Explanation text = explain(row.metric, layerPoint(), 400, facts());
      QVERIFY(!text.name.empty() && !text.formula.empty() && !text.values.empty() && !text.meaning.empty());
      SAYS(text.name, "layer 2, step 400");
    }
    SAYS(explain(Metric::dropRate, layerPoint(), 400, facts()).values, "256 / 1,024 = 25 %");
    SAYS(explain(Metric::mutualInformation, layerPoint(), 400, facts()).values, "= 0.2 nats");
    SAYS(explain(Metric::balanceGradient, layerPoint(), 400, facts()).values, "0.002 / 0.1 = 2 %");
    SAYS(explainLoad(layerPoint(), 0, 400).values, "412 / 1,024 = 40.2 %");
    SAYS(explainLoad(layerPoint(), 0, 400).values, "412 / 256 = 1.61 of the fair share");
  }
  void whatWasNotMeasuredIsSaid() {
    LayerPoint layer = layerPoint();
    layer.balanceGradient = layer.dead = kNotMeasured;
    SAYS(explain(Metric::balanceGradient, layer, 400, facts()).values, "Not measured");
    SAYS(explain(Metric::dead, layer, 400, facts()).values, "50 steps");
    QVERIFY(!balancerShare(layer));
    layer.assignments = 0;  // a run of an older version: shares stand in for counts
    SAYS(explain(Metric::maxVio, layer, 400, facts()).values, "0.402 / 0.25");
  }
  void theRunsNumbersAreSubstituted() {
    SAYS(explain(Metric::loss, point(), facts()).values, "2 nats / token = 2.89 bits; perplexity e^2 = 7.39");
    SAYS(explain(Metric::auxLoss, point(), facts()).values, "0.01 \u00b7 2.12 \u00b7 4 layers = 0.0848");
    SAYS(explain(Metric::zLoss, point(), facts()).values, "0.001 \u00b7 3 \u00b7 4 layers = 0.012");
    SAYS(explain(Metric::tokensPerSecond, point(), facts()).values, "512 / 0.5 s = 1,024 tokens / s");
    SAYS(explain(ModelQuantity::activeParameters, facts()).values, "4,600,000 \u2212 2,900,000 = 1,700,000");
    SAYS(explain(ModelQuantity::totalParameters, facts()).values, "embedding 600,000 + experts 4,000,000 = 4,600,000");
    SAYS(explain(ModelQuantity::memory, facts()).values,
         "4,600,000 \u00b7 16 B + 512 \u00b7 10,240 B + 16 MiB = 91 MiB");
    for (const MetricRow& row : metricsOfRun()) {
      const Explanation text = explain(row.metric, point(), facts());
      QVERIFY2(!text.name.empty() && !text.formula.empty() && !text.values.empty() && !text.meaning.empty(),
               text.name.c_str());
    }
  }
  void anAlertSaysItsSharesTheThresholdAndSinceWhen() {
    const Explanation text = explainAlert({.layer = 2, .expert = 5, .since = 1212, .utilization = 0.02}, 8, facts());
    QCOMPARE(text.name, std::string("Utilisation of expert 5, layer 2"));
    QCOMPARE(text.values, std::string("0.25 % / 12.5 % = 2 % < 5 %, the threshold"));
    SAYS(text.meaning, "since step 1,212");
    SAYS(text.meaning, "ends at 10 %");
    // Between the threshold and the share at which it ends it still stands.
    SAYS(explainAlert({.layer = kHeadLayer, .expert = 5, .utilization = 0.07}, 8, facts()).values, "7 % \u2265 5 %");
    SAYS(explainAlert({.layer = kHeadLayer, .expert = 5, .utilization = 0.07}, 8, facts()).name, "head");
  }
  void aTermStandsOnTheCommonScaleBesideItsRawValue() {
    QVERIFY(std::abs(*scaledTerm(point(), 0, facts()) - 1.06) < 1e-6);  // two assignments a token were counted
    const Explanation text = explainTerm(point(), 0, facts());
    SAYS(text.values, "raw 2.12; on the common scale 2.12 / 2 = 1.06");
    SAYS(text.meaning, "Hugging Face");
    QVERIFY(!scaledTerm(point(), 1, facts()));
    QVERIFY(!scaledTerm(StepPoint{}, 0, facts()));
  }
  void aTermThatIsOnAndDoesNothingIsNamed() {
    StepPoint at = point();
    std::vector<std::string> idle = idleTerms(at, facts());
    QCOMPARE(idle.size(), std::size_t{1});  // the z term's gradient is 0
    SAYS(idle[0], "z-loss");
    SAYS(idle[0], "layer 2");
    at.layers[0].termGradient = {1e-9f, 0.1f};  // rounding of terms that cancel
    QCOMPARE(idleTerms(at, facts()).size(), std::size_t{1});
    SAYS(idleTerms(at, facts())[0], "Load");
    at.layers[0].termGradient = {0.002f, 0.1f};
    QVERIFY(idleTerms(at, facts()).empty());
    at.layers[0].termGradient.clear();  // not measured
    QVERIFY(idleTerms(at, facts()).empty());
    RunFacts off = facts();
    off.terms[1].coefficient = 0;
    at = point();
    QVERIFY(idleTerms(at, off).empty());
  }
  void studiesExplainTheirCells() {
    RunStudy study;
    study.step = 100;
    study.tokens = 4;
    study.domains = {"music"};
    study.domainTokens = {4};
    study.layers = {{.layer = 1,
                     .experts = 2,
                     .slots = 2,
                     .selections = {0, 1, 0, -1, 0, -1, 0, -1},
                     .listed = {0, 1},
                     .coactivation = {0, 0.25f, 1, 0},
                     .domains = {1, 0.25f}}};
    SAYS(explainCoactivation(study, 0, 0, 1).values, "1 / 4 = 25 %");
    SAYS(explainDomain(study, 0, 0, 1).values, "1 / 4 = 25 %; uniform 62.5 %, so 0.4 times");
    SAYS(explain(StudyQuantity::churn, study, 0, {.churn = 0.2, .saturation = 0.9}, 200).values, "1 / 5 = 20 %");
    SAYS(explain(StudyQuantity::saturation, study, 0, {.churn = 0.2, .saturation = 0.9}, 200).values,
         "90 %, against step 200");
    SAYS(explain(StudyQuantity::maxVioGlobal, study, 0, {}, 200).values, "Not measured");
  }
};
SWITCHYARD_TEST(ExplanationTest)
#include "explanation_test.moc"
