#include "tests/support/command_line.h"

using namespace moe;
using test::shell;
using test::switchyard;
using test::tinyTraining;

/// What is printed and does not arrive is a failure, whatever the subcommand.
class OutputTest : public QObject {
  Q_OBJECT
  test::TemporaryFolder folder_;
  QString in(const char* name) const { return QString::fromStdString((folder_ / name).string()); }

 private Q_SLOTS:
  void initTestCase() { QCOMPARE(switchyard(tinyTraining(folder_) + QStringList{"--steps", "3"}).code, 0); }

  void outputThatCannotBeWrittenIsAFailure_data() {
    QTest::addColumn<QStringList>("arguments");
    const QString vector = SWITCHYARD_SOURCE_DIR "/tests/golden/mixtral.json";
    QTest::newRow("help") << QStringList{"--help"};
    QTest::newRow("version") << QStringList{"--version"};
    QTest::newRow("train") << (QStringList{"train", "--resume", in("out"), "--store", in("runs.db"), "--steps", "4"});
    QTest::newRow("train --json") << (QStringList{"train", "--resume", in("out"), "--store", in("runs.db"), "--steps",
                                                  "5", "--json"});
    QTest::newRow("inspect") << QStringList{"inspect", "--checkpoint", in("out"), "--text", "the yard"};
    QTest::newRow("evaluate") << QStringList{"evaluate", "--checkpoint", in("out"), "--data", in("yard.txt")};
    QTest::newRow("generate") << QStringList{"generate", "--checkpoint", in("out"), "--prompt", "the", "--tokens", "3"};
    QTest::newRow("presets") << QStringList{"presets"};
    QTest::newRow("devices") << QStringList{"devices"};
    QTest::newRow("verify-routing") << QStringList{"verify-routing", vector};
    QTest::newRow("runs list") << QStringList{"runs", "list", "--store", in("runs.db")};
    QTest::newRow("runs export") << QStringList{"runs", "export", "1", "--store", in("runs.db")};
    QTest::newRow("experiments") << QStringList{"experiments", "--list"};
  }
  void outputThatCannotBeWrittenIsAFailure() {
    QFETCH(QStringList, arguments);
    const QString command = test::commandLineProgram() + " '" + arguments.join("' '") + '\'';
    const auto well = shell(command + " > /dev/null");
    QVERIFY2(well.code == 0, well.errors.constData());
    const auto full = shell(command + " > /dev/full");
    QVERIFY2(full.code == 1, full.errors.constData());
    QVERIFY2(full.errors.contains("standard output"), full.errors.constData());
  }
};
SWITCHYARD_TEST(OutputTest)
#include "output_test.moc"
