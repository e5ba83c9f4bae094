#include <QFile>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QTemporaryDir>

#include "tests/support/register.h"

namespace {

const QString kGolden = SWITCHYARD_SOURCE_DIR "/tests/golden/";

struct Ran {
  int code = -1;
  QList<QByteArray> lines;
  QByteArray errors;
};

Ran run(const QStringList& arguments) {
  QProcess process;
  process.start(SWITCHYARD_BINARY_DIR "/app/switchyard-cli", QStringList{"verify-routing"} + arguments);
  Ran ran;
  if (!process.waitForFinished(60000)) return ran;
  ran.code = process.exitCode();
  for (const QByteArray& line : process.readAllStandardOutput().split('\n'))
    if (!line.isEmpty()) ran.lines.push_back(line);
  ran.errors = process.readAllStandardError();
  return ran;
}

QJsonObject object(const QByteArray& line) { return QJsonDocument::fromJson(line).object(); }

/// A copy of a golden file with `from` replaced by `to` in its first place.
QString altered(const QTemporaryDir& folder, const QString& name, const QByteArray& from, const QByteArray& to) {
  QFile source(kGolden + name);
  if (!source.open(QIODevice::ReadOnly)) return {};
  QByteArray text = source.readAll();
  const auto at = text.indexOf(from);
  if (at < 0) return {};
  QFile copy(folder.filePath(name));
  if (!copy.open(QIODevice::WriteOnly)) return {};
  copy.write(text.replace(at, from.size(), to));
  return copy.fileName();
}

}  // namespace

class VerifyRoutingTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aLineOfJsonAFileAndExitCodeZeroWhenAllPass_data() {
    QTest::addColumn<QString>("backend");
    QTest::newRow("reference") << "reference";
    QTest::newRow("onednn") << "onednn";
  }
  void aLineOfJsonAFileAndExitCodeZeroWhenAllPass() {
    QFETCH(QString, backend);
    const Ran ran = run({kGolden + "hash_layer.json", kGolden + "overflow.json", "--backend", backend, "--json"});
    QVERIFY2(ran.code == 0, ran.errors);
    QCOMPARE(ran.lines.size(), 2);
    const QJsonObject line = object(ran.lines[1]);
    QCOMPARE(line["file"].toString(), kGolden + "overflow.json");
    QCOMPARE(line["system"].toString(), QString("overflow"));
    QVERIFY(line["passed"].toBool());
    QVERIFY(!line["worst"].toObject()["field"].toString().isEmpty());
    QVERIFY(line["worst"].toObject()["error"].toDouble() < (backend == "reference" ? 1e-10 : 1e-5));
  }
  void aFileThatDiffersFailsByNameAndTheOthersStillRun() {
    const QTemporaryDir folder;
    const QString file = altered(folder, "hash_layer.json", "\"load_count\"", "\"load_counts\"");
    QVERIFY(!file.isEmpty());
    const Ran ran = run({file, kGolden + "hash_layer.json", "--json"});
    QCOMPARE(ran.code, 1);
    QCOMPARE(ran.lines.size(), 2);
    QVERIFY(!object(ran.lines[0])["passed"].toBool());
    QCOMPARE(object(ran.lines[0])["worst"].toObject()["field"].toString(), QString("load_counts"));
    QVERIFY(object(ran.lines[1])["passed"].toBool());
    QVERIFY(ran.errors.contains("1 of 2"));
  }
  void aFileThatMisfitsIsNamedOnStandardError() {
    const QTemporaryDir folder;
    const QString file = altered(folder, "hash_layer.json", "select.hash_table", "select.hush_table");
    QVERIFY(!file.isEmpty());
    const Ran ran = run({file, "--json"});
    QCOMPARE(ran.code, 1);
    QVERIFY2(ran.errors.contains("select.hush_table"), ran.errors);
    QVERIFY(!object(ran.lines.value(0))["passed"].toBool());
  }
  void aMissingFileFailsAndNoFileIsWrongUsage() {
    const Ran missing = run({"/nowhere/at/all.json"});
    QCOMPARE(missing.code, 1);
    QVERIFY(missing.errors.contains("/nowhere/at/all.json"));
    QCOMPARE(run({}).code, 2);
    QCOMPARE(run({kGolden + "hash_layer.json", "--backend", "abacus"}).code, 2);
  }
};
SWITCHYARD_TEST(VerifyRoutingTest)
#include "verify_routing_test.moc"
