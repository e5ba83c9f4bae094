#include "core/formats/exports.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/base/number_text.h"
#include "core/formats/csv.h"
#include "tests/support/register.h"
#include "tests/support/stored_points.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

namespace {

struct Stored {
  TemporaryFolder folder;
  std::unique_ptr<RunStore> store = RunStore::open(folder / "runs.db", RunStore::Access::write);
  RunId run = 0;

  Stored() {
    RunSummary summary;
    summary.name = "one, \"two\"\nthree";
    summary.config = R"({"train":{"steps":5}})";
    summary.seed = 0xffffffffffffffff;
    run = store->createRun(summary);
  }
  QStringList lines(ExportFormat format) const {
    std::string text;
    exportRun(*store, run, format, [&](std::string_view piece) { text += piece; });
    return QString::fromStdString(text).split('\n', Qt::SkipEmptyParts);
  }
};

}  // namespace

class ExportsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void fieldsAreQuotedWhereTheyMust() {
    QCOMPARE(csvField("plain text"), std::string("plain text"));
    QCOMPARE(csvField("a,b"), std::string("\"a,b\""));
    QCOMPARE(csvField("say \"x\""), std::string("\"say \"\"x\"\"\""));
    QCOMPARE(csvField("two\nlines"), std::string("\"two\nlines\""));
  }
  void whatASpreadsheetWouldRunIsText() {
    QCOMPARE(csvField("=1+1"), std::string("'=1+1"));
    QCOMPARE(csvField("+1"), std::string("'+1"));
    QCOMPARE(csvField("-x"), std::string("'-x"));
    QCOMPARE(csvField("@SUM(A1,A2)"), std::string("\"'@SUM(A1,A2)\""));
    QCOMPARE(csvField("a=b"), std::string("a=b"));
  }
  void numbersAreAsShortAsTheyCanBeAndReadBackEqual() {
    QCOMPARE(shortestText(0.1f), std::string("0.1"));
    QCOMPARE(shortestText(1.0 / 3), std::string("0.3333333333333333"));
    QCOMPARE(shortestText(std::numeric_limits<double>::quiet_NaN()), std::string("nan"));
    QCOMPARE(shortestText(-std::numeric_limits<float>::infinity()), std::string("-inf"));
  }
  void theTableHasNamedColumnsAndALineAStep() {
    const Stored stored;
    auto points = pointsFrom(1, 5000, 2);
    points[1].layers[0].load[1] = 0.1f;
    points[1].layers[0].balanceGradient = kNotMeasured;
    stored.store->append(stored.run, points);
    const QStringList lines = stored.lines(ExportFormat::csv);
    QCOMPARE(lines.size(), 5001);
    const QStringList names = lines[0].split(',');
    QCOMPARE(names.mid(0, 8),
             QStringList({"step", "train_loss_nats_per_token", "validation_loss_nats_per_token", "aux_loss", "z_loss",
                          "gradient_norm", "learning_rate", "tokens_per_second"}));
    QCOMPARE(
        names.mid(13, 18),
        QStringList({"layer1_max_vio", "layer1_cv2", "layer1_dropped_share", "layer1_dropped_tokens_share",
                     "layer1_router_entropy_nats", "layer1_load_entropy", "layer1_mean_probability_entropy_nats",
                     "layer1_margin", "layer1_bias_jaccard", "layer1_unused_experts", "layer1_dead_experts",
                     "layer1_importance_cv2", "layer1_language_gradient", "layer1_balance_gradient", "layer1_balance0",
                     "layer1_balance1", "layer1_expert0_load_share", "layer1_expert1_load_share"}));
    QCOMPARE(names.mid(8, 5),
             QStringList({"load_least", "load_10_percent", "load_median", "load_90_percent", "load_most"}));
    QCOMPARE(names.size(), 13 + 2 * 18);
    const QStringList second = lines[2].split(','), hundredth = lines[100].split(',');
    QCOMPARE(second.size(), names.size());
    QCOMPARE(second[0], QString("2"));
    QCOMPARE(second[1], QString("4.998"));
    QCOMPARE(second[2], QString());
    QCOMPARE(hundredth[2], QString("5.9"));
    QCOMPARE(second[names.indexOf("layer1_max_vio")], QString("21.5"));
    QCOMPARE(second[names.indexOf("layer3_balance1")], QString("-23"));
    QCOMPARE(second[names.indexOf("layer1_balance_gradient")], QString());
    QCOMPARE(second[names.indexOf("layer1_expert1_load_share")], QString("0.1"));
  }
  void theLinesOfJsonHoldRunEventsAndPointsInOrder() {
    const Stored stored;
    auto points = pointsFrom(1, 3, 2);
    points[2].loss = std::numeric_limits<double>::quiet_NaN();
    stored.store->append(stored.run, points);
    RunEvent knob;
    knob.run = stored.run;
    knob.step = 1;
    knob.kind = RunEvent::Kind::knob;
    knob.path = "select.k";
    knob.oldValue = "2";
    knob.newValue = "1";
    stored.store->append(knob);
    std::vector<nlohmann::json> lines;
    for (const QString& line : stored.lines(ExportFormat::jsonl))
      lines.push_back(nlohmann::json::parse(line.toStdString()));
    QCOMPARE(lines.size(), std::size_t{5});
    QCOMPARE(lines[0]["type"], nlohmann::json("run"));
    QCOMPARE(lines[0]["config"]["train"]["steps"], nlohmann::json(5));
    QCOMPARE(lines[0]["seed"], nlohmann::json(0xffffffffffffffff));
    QCOMPARE(lines[1]["step"], nlohmann::json(1));
    QCOMPARE(lines[2]["type"], nlohmann::json("event"));
    QCOMPARE(lines[2]["kind"], nlohmann::json("knob"));
    QCOMPARE(lines[2]["new"], nlohmann::json("1"));
    QCOMPARE(lines[3]["step"], nlohmann::json(2));
    QCOMPARE(lines[3]["layers"][1]["layer"], nlohmann::json(3));
    QCOMPARE(lines[3]["layers"][1]["load"], nlohmann::json({23.0, 23.125}));
    QCOMPARE(lines[4]["loss"], nlohmann::json(nullptr));
  }
  void studiesStandBetweenThePointsAndCompareThemselves() {
    const Stored stored;
    stored.store->append(stored.run, pointsFrom(1, 3, 2));
    for (const std::int64_t step : {0, 2}) {
      RunStudy study;
      study.run = stored.run;
      study.step = step;
      study.tokens = 4;
      study.domains = {"yard"};
      study.domainTokens = {4};
      LayerStudy layer{.layer = 1,
                       .experts = 2,
                       .slots = 1,
                       .selections = {0, 0, 1, 1},
                       .listed = {0, 1},
                       .coactivation = {0, 0, 0, 0},
                       .domains = {0.5f, 0.5f}};
      if (step == 2) layer.selections = {0, 0, 0, 1};
      study.layers.push_back(layer);
      stored.store->append(study);
    }
    std::vector<nlohmann::json> lines;
    for (const QString& line : stored.lines(ExportFormat::jsonl))
      lines.push_back(nlohmann::json::parse(line.toStdString()));
    QCOMPARE(lines.size(), std::size_t{6});
    QCOMPARE(lines[1]["type"], nlohmann::json("study"));
    QCOMPARE(lines[1]["layers"][0]["churn"], nlohmann::json(nullptr));
    QCOMPARE(lines[1]["layers"][0]["saturation"], nlohmann::json(0.75));
    QCOMPARE(lines[4]["type"], nlohmann::json("study"));
    QCOMPARE(lines[4]["layers"][0]["churn"], nlohmann::json(0.25));
    QCOMPARE(lines[4]["max_vio_global"], nlohmann::json(nullptr));
  }
  void aRunWithoutPointsGivesItsHeader() {
    const Stored stored;
    QCOMPARE(stored.lines(ExportFormat::csv).size(), 1);
    QCOMPARE(stored.lines(ExportFormat::jsonl).size(), 1);
    QVERIFY_EXCEPTION_THROWN(exportRun(*stored.store, 99, ExportFormat::csv, [](std::string_view) {}), Error);
  }
  void allRunsMakeATableWithQuotedNames() {
    const Stored stored;
    std::string text;
    exportRuns(*stored.store, ExportFormat::csv, [&](std::string_view piece) { text += piece; });
    QVERIFY2(
        text.find("\n1,\"one, \"\"two\"\"\nthree\",,running,0,0,,,0,0,0,18446744073709551615,") != std::string::npos,
        text.c_str());
  }
};
SWITCHYARD_TEST(ExportsTest)
#include "exports_test.moc"
