#include "core/telemetry/metrics.h"

#include <QFile>
#include <cmath>
#include <set>

#include "core/telemetry/points.h"
#include "tests/support/register.h"

using namespace moe;

class MetricsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyMetricHasARowOfItsOwnThatSaysWhatItIs() {
    std::set<std::string_view> ids;
    for (const MetricRow& row : metricRows()) {
      QCOMPARE(&rowOf(row.metric), &row);
      QVERIFY(!row.name.empty() && !row.formula.empty() && row.meaning.size() > 1 && row.meaning.back() == '.');
      QVERIFY2(row.id.empty() || ids.insert(row.id).second, std::string(row.id).c_str());
      QCOMPARE(row.of != nullptr, row.scope == MetricScope::run);
      QCOMPARE(row.ofLayer != nullptr, row.scope == MetricScope::layer);
      QCOMPARE(row.values != nullptr, row.scope == MetricScope::run);
      QCOMPARE(row.layerValues != nullptr, row.scope == MetricScope::layer);
    }
    QCOMPARE(metricsOfRun().size() + metricsOfLayers().size(), metricRows().size());
  }
  void whatIsPutIsReadAgainAndNothingElseMoves() {
    for (const MetricRow& row : metricsOfRun()) {
      if (!row.put) continue;
      StepPoint point;
      row.put(point, 0.625);
      for (const MetricRow& other : metricsOfRun())
        if (other.put) QCOMPARE(other.of(point) == 0.625, other.metric == row.metric);
    }
    for (const MetricRow& row : metricsOfLayers()) {
      if (!row.putLayer) continue;
      LayerPoint layer;
      row.putLayer(layer, 0.625);
      for (const MetricRow& other : metricsOfLayers())
        if (other.putLayer) QCOMPARE(other.ofLayer(layer) == 0.625, other.metric == row.metric);
    }
  }
  void theHelpPagesTableIsTheRows() {
    QFile file(SWITCHYARD_SOURCE_DIR "/resources/help/numbers.md");
    QVERIFY(file.open(QIODevice::ReadOnly));
    const QString page = QString::fromUtf8(file.readAll());
    QString table = "## At every step\n\n| on screen | formula | reading |\n|---|---|---|\n";
    const auto cell = [](std::string_view text) {
      return " " + QString::fromUtf8(text.data(), static_cast<qsizetype>(text.size())).replace("|", "\\|") + " |";
    };
    for (const MetricRow& row : metricRows())
      table += "|" + cell(row.name) + cell(row.formula) + cell(row.meaning) + "\n";
    QVERIFY2(page.contains(table), qPrintable("resources/help/numbers.md: expected this table\n" + table));
  }
  void percentilesAreOfEveryExpertOfEveryLayerTogether() {
    StepPoint point;
    QVERIFY(std::isnan(rowOf(Metric::loadMedian).of(point)));
    point.layers.resize(2);
    point.layers[0].load = {0.5f, 0.25f, 0.25f, 0};  // of the fair share 2, 1, 1, 0
    point.layers[1].load = {0.75f, 0.25f};           // 1.5, 0.5
    // In order 0, 0.5, 1, 1, 1.5, 2: the 10th and the 90th percentile lie halfway between two.
    const auto at = [&](Metric metric) { return rowOf(metric).of(point); };
    QCOMPARE(at(Metric::loadLeast), 0.0);
    QCOMPARE(at(Metric::loadLow), 0.25);
    QCOMPARE(at(Metric::loadMedian), 1.0);
    QCOMPARE(at(Metric::loadHigh), 1.75);
    QCOMPARE(at(Metric::loadMost), 2.0);
  }
  void whatIsStoredCanBePutBackAndWhatIsDerivedCannot() {
    for (const MetricRow& row : metricRows()) {
      const bool derived = row.storage == MetricStorage::derived;
      QCOMPARE(row.put != nullptr || row.putLayer != nullptr, !derived);
      QCOMPARE(!row.column.empty(), row.storage == MetricStorage::column);
    }
  }
};
SWITCHYARD_TEST(MetricsTest)
#include "metrics_test.moc"
