#include <QProcess>

#include <nlohmann/json.hpp>

#include "core/store/run_store.h"
#include "tests/support/register.h"
#include "tests/support/stored_points.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

namespace {

struct Finished {
  int code = -1;
  QByteArray out, error;
};

Finished runProgram(const QStringList& arguments) {
  QProcess process;
  process.start(SWITCHYARD_BINARY_DIR "/app/switchyard-cli", arguments);
  if (!process.waitForFinished(60'000)) return {};
  return {process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError()};
}

}  // namespace

class RunsTest : public QObject {
  Q_OBJECT

  TemporaryFolder folder_;
  QString store() const { return QString::fromStdString((folder_ / "runs.db").string()); }

 private Q_SLOTS:
  void initTestCase() {
    const auto store = RunStore::open(folder_ / "runs.db", RunStore::Access::write);
    RunSummary summary;
    summary.name = "first";
    summary.preset = "collapse";
    summary.config = R"({"seed":3})";
    summary.targetSteps = 300;
    const RunId run = store->createRun(summary);
    store->append(run, pointsFrom(1, 300));
    RunEvent alert;
    alert.run = run;
    alert.step = 200;
    alert.kind = RunEvent::Kind::alertRaised;
    alert.layer = 1;
    alert.expert = 2;
    alert.text = "expert 2 starves";
    store->append(alert);
    store->recordCheckpoint({.run = run, .step = 300, .path = "/some/step-300", .healthy = true, .bytes = 5});
  }
  void listNamesEveryRun() {
    const Finished plain = runProgram({"runs", "list", "--store", store()});
    QCOMPARE(plain.code, 0);
    QVERIFY(plain.out.contains("first (collapse)") && plain.out.contains("4.7000") && plain.error.isEmpty());
    const Finished lines = runProgram({"runs", "list", "--store", store(), "--json"});
    const auto json = nlohmann::json::parse(lines.out.toStdString());
    QCOMPARE(json["run"], nlohmann::json(1));
    QCOMPARE(json["steps"], nlohmann::json(300));
    const Finished table = runProgram({"runs", "list", "--store", store(), "--format", "csv"});
    QVERIFY(table.out.startsWith("run,name,preset,state,") &&
            table.out.contains("\n1,first,collapse,running,300,300,4.7,5.7,"));
  }
  void showTellsEventsAndCheckpoints() {
    const Finished plain = runProgram({"runs", "show", "1", "--store", store()});
    QCOMPARE(plain.code, 0);
    QVERIFY(plain.out.contains("expert 2 starves") && plain.out.contains("/some/step-300"));
    const auto json =
        nlohmann::json::parse(runProgram({"runs", "show", "1", "--store", store(), "--json"}).out.toStdString());
    QCOMPARE(json["events"][0]["expert"], nlohmann::json(2));
    QCOMPARE(json["checkpoints"][0]["healthy"], nlohmann::json(true));
    QCOMPARE(json["config"]["seed"], nlohmann::json(3));
  }
  void exportWritesEveryStepToTheScreenOrAFile() {
    const Finished csv = runProgram({"runs", "export", "1", "--store", store()});
    QCOMPARE(csv.code, 0);
    QCOMPARE(csv.out.count('\n'), 301);
    const Finished jsonl = runProgram({"runs", "export", "1", "--store", store(), "--format", "jsonl"});
    QCOMPARE(jsonl.out.count("{\"type\":\"point\""), 300);
    const QString file = QString::fromStdString((folder_ / "out.csv").string());
    QCOMPARE(runProgram({"runs", "export", "1", "--store", store(), "--out", file}).code, 0);
    QCOMPARE(QByteArray::fromStdString(readText(folder_ / "out.csv")), csv.out);
  }
  void aFailureIsOneSentenceAndCodeOne() {
    const Finished absent = runProgram({"runs", "list", "--store", store() + ".absent"});
    QCOMPARE(absent.code, 1);
    QVERIFY2(absent.out.isEmpty() && absent.error.contains("expected a run store, found nothing there"),
             absent.error.constData());
    const Finished none = runProgram({"runs", "show", "99", "--store", store()});
    QCOMPARE(none.code, 1);
    QVERIFY(none.error.contains("expected run 99, found none"));
  }
  void wrongUsageIsCodeTwo() {
    QCOMPARE(runProgram({"runs"}).code, 2);
    QCOMPARE(runProgram({"runs", "show", "--store", store()}).code, 2);
    QCOMPARE(runProgram({"runs", "list", "--store", store(), "--format", "xml"}).code, 2);
  }
  void aFullOutputIsAFailure() {
    QProcess shell;
    shell.start("sh", {"-c", QString("'%1' runs export 1 --store '%2' > /dev/full")
                                 .arg(SWITCHYARD_BINARY_DIR "/app/switchyard-cli", store())});
    QVERIFY(shell.waitForFinished(60'000));
    QCOMPARE(shell.exitCode(), 1);
  }
};
SWITCHYARD_TEST(RunsTest)
#include "runs_test.moc"
