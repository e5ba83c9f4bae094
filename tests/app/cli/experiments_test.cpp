#include "tests/support/command_line.h"
#include "tests/support/tiny_experiment.h"

using namespace moe::test;

class ExperimentsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void whatIsShippedIsListed() {
    const CommandResult listed = switchyard({"experiments", "--list", "--json"});
    QCOMPARE(listed.code, 0);
    QVERIFY(listed.lines().size() >= 7);
    for (const QJsonObject& line : listed.lines()) QVERIFY(!line["claim"].toString().isEmpty());
  }
  void aFileOfOnesOwnIsRunAndRecordedAndItsReportWritten() {
    const TemporaryFolder folder;
    const auto path = [&](const char* name) { return QString::fromStdString((folder / name).string()); };
    nlohmann::json file = tinyExperiment();
    std::string text;
    for (int i = 0; i < 60; ++i) text += "the yard is full of trains. ";
    writeText(folder / "yard.txt", text);
    file["set"]["data.source"] = (folder / "yard.txt").string();
    writeText(folder / "mine.json", file.dump());
    const QStringList arguments{"experiments",    path("mine.json"), "--out", path("out"), "--report",
                                path("table.md"), "--seeds",         "8,9",   "--json"};
    const CommandResult ran = switchyard(arguments);
    QVERIFY2(ran.code == 0, ran.errors);
    int bands = 0;
    for (const QJsonObject& line : ran.lines()) {
      QCOMPARE(line["experiment"].toString(), QString("mine"));
      bands += line.contains("holds");
    }
    QCOMPARE(bands, 2);
    QVERIFY(ran.errors.contains("seed 9"));
    const std::string table = readText(folder / "table.md");
    QVERIFY(table.find("seeds 8, 9") != std::string::npos);
    const CommandResult again = switchyard(arguments);
    QCOMPARE(again.output, ran.output);
    QVERIFY(!again.errors.contains("seed 9"));
  }
  void whatIsNotThereIsRefused() {
    QCOMPARE(switchyard({"experiments", "unheard-of", "--list"}).code, 2);
    QCOMPARE(switchyard({"experiments", "--jobs", "0", "--list"}).code, 2);
    const TemporaryFolder folder;
    const QString file = QString::fromStdString((folder / "none.json").string());
    QCOMPARE(switchyard({"experiments", file}).code, 1);
    writeText(folder / "none.json", "{\"title\": 3}");
    const CommandResult ran = switchyard({"experiments", file});
    QCOMPARE(ran.code, 1);
    QVERIFY2(ran.errors.contains("none: title"), ran.errors);
  }
};
SWITCHYARD_TEST(ExperimentsTest)
#include "experiments_test.moc"
