#include <QFile>

#include "tests/support/command_line.h"

using namespace moe;
using test::pathIn;
using test::shell;
using test::switchyard;
using test::tinyTraining;
using test::weights;
using test::with;

// What `switchyard-cli train` says no to, and leaves as it was.
class TrainRefusalsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void badInputIsRefusedInASentence_data() {
    QTest::addColumn<QString>("content");
    QTest::addColumn<QString>("sentence");
    QTest::newRow("empty") << QString() << "empty";
    QTest::newRow("binary") << QString::fromLatin1("text\0with\1bytes", 15) << "binary";
    QTest::newRow("short") << QString("too short for a batch") << "batch";
  }
  void badInputIsRefusedInASentence() {
    QFETCH(QString, content);
    QFETCH(QString, sentence);
    const test::TemporaryFolder folder;
    QStringList arguments = tinyTraining(folder);
    test::writeText(folder / "bad.txt", content.toStdString());
    const auto result = switchyard(with(arguments, "--data", pathIn(folder, "bad.txt")) + QStringList{"--steps", "3"});
    QCOMPARE(result.code, 1);
    QVERIFY2(QString(result.errors).contains(sentence, Qt::CaseInsensitive), result.errors.constData());
    QCOMPARE(result.errors.trimmed().count('\n'), 0);
  }
  void textThatIsNotUtf8OrMissingIsRefused() {
    const test::TemporaryFolder folder;
    test::writeText(folder / "latin1.txt", "caf\xe9 au lait, caf\xe9 noir. caf\xe9 au lait");
    const auto latin = switchyard(with(tinyTraining(folder), "--data", pathIn(folder, "latin1.txt")));
    QCOMPARE(latin.code, 1);
    QVERIFY2(latin.errors.contains("UTF-8"), latin.errors.constData());
    const auto missing = switchyard(with(tinyTraining(folder), "--data", pathIn(folder, "gone.txt")));
    QCOMPARE(missing.code, 1);
    QVERIFY2(missing.errors.contains("gone.txt"), missing.errors.constData());
  }
  void wrongUsageAndWrongConfigurationsAreTold() {
    const test::TemporaryFolder folder;
    QCOMPARE(switchyard({}).code, 2);
    QCOMPARE(switchyard({"train", "--steps", "none"}).code, 2);
    QCOMPARE(switchyard(tinyTraining(folder) + QStringList{"--preset", "nobody"}).code, 2);
    const auto key = switchyard(tinyTraining(folder) + QStringList{"--set", "select.kk=2"});
    QCOMPARE(key.code, 2);
    QVERIFY2(key.errors.contains("kk"), key.errors.constData());
    test::writeText(folder / "config.json", R"({"train": {"stepz": 3}})");
    const auto config =
        switchyard({"train", "--config", pathIn(folder, "config.json"), "--store", pathIn(folder, "runs.db")});
    QCOMPARE(config.code, 1);
    QVERIFY2(config.errors.contains("stepz"), config.errors.constData());
    const auto vast =
        switchyard(tinyTraining(folder) + QStringList{"--set", "model.width=65536", "--set", "experts.count=4096"});
    QCOMPARE(vast.code, 1);
    QVERIFY2(!vast.errors.contains("bad_alloc"), vast.errors.constData());
    QVERIFY(!QFile::exists(pathIn(folder, "out")));
  }
  void damagedCheckpointsAreRefusedAndLeftAlone() {
    const test::TemporaryFolder folder;
    QCOMPARE(switchyard(tinyTraining(folder) + QStringList{"--steps", "3"}).code, 0);
    const auto path = folder / "out" / "step-3" / "model.safetensors";
    const std::string whole = test::readText(path);
    std::string altered = whole;
    altered[altered.size() / 2] ^= 1;
    for (const std::string& damaged : {whole.substr(0, whole.size() / 2), altered}) {
      test::writeText(path, damaged);
      for (const QStringList& command :
           {QStringList{"train", "--resume", pathIn(folder, "out"), "--store", pathIn(folder, "runs.db")},
            QStringList{"inspect", "--checkpoint", pathIn(folder, "out"), "--text", "a"},
            QStringList{"generate", "--checkpoint", pathIn(folder, "out"), "--prompt", "a", "--tokens", "2"}}) {
        const auto result = switchyard(command);
        QCOMPARE(result.code, 1);
        QVERIFY2(result.errors.contains("model.safetensors"), result.errors.constData());
      }
      QVERIFY(test::readText(path) == damaged);
    }
    test::writeText(path, whole);
    QCOMPARE(
        switchyard({"train", "--resume", pathIn(folder, "out"), "--store", pathIn(folder, "runs.db"), "--steps", "4"})
            .code,
        0);
  }
  void aRunThatAnotherProgramTrainsIsNotResumed() {
    const test::TemporaryFolder folder;
    QProcess holder;
    holder.start(test::commandLineProgram(), tinyTraining(folder) + QStringList{"--steps", "1000000", "--json"});
    QVERIFY(holder.waitForReadyRead(60'000));
    const QStringList resume{"train",   "--resume", pathIn(folder, "out"), "--store", pathIn(folder, "runs.db"),
                             "--steps", "2"};
    const auto result = switchyard(resume);
    QCOMPARE(result.code, 1);
    QVERIFY2(result.errors.contains("expected run 1 to be in no other program's training") &&
                 result.errors.contains("process " + QByteArray::number(holder.processId())),
             result.errors.constData());
    holder.kill();
    holder.waitForFinished();
    QCOMPARE(switchyard(resume).code, 0);
  }
  void aFullDiskStopsTheRunWithASentenceAndKeepsWhatWasThere() {
    const test::TemporaryFolder folder;
    QCOMPARE(switchyard(tinyTraining(folder) + QStringList{"--steps", "3"}).code, 0);
    const std::string before = weights(folder, "step-3");
    // 8 blocks of 1024 bytes: no file may grow past 8 KiB, so neither the store nor a checkpoint can be written.
    const auto result = shell("ulimit -f 8; exec '" + test::commandLineProgram() + "' train --resume '" +
                              pathIn(folder, "out") + "' --store '" + pathIn(folder, "runs.db") + "' --steps 9");
    QCOMPARE(result.code, 1);
    QVERIFY2(result.errors.startsWith("switchyard-cli: ["), result.errors.constData());
    QVERIFY(weights(folder, "step-3") == before);
    QCOMPARE(
        switchyard({"train", "--resume", pathIn(folder, "out"), "--store", pathIn(folder, "runs.db"), "--steps", "9"})
            .code,
        0);
    QVERIFY(!weights(folder, "step-9").empty());
  }
  void aFolderWhereNothingMayBeWrittenIsRefused() {
    const test::TemporaryFolder folder;
    test::writeText(folder / "file", "not a folder");
    const auto out =
        switchyard(with(tinyTraining(folder), "--out", pathIn(folder, "file/out")) + QStringList{"--steps", "2"});
    QCOMPARE(out.code, 1);
    QVERIFY2(out.errors.contains("file/out"), out.errors.constData());
    const auto store =
        switchyard(with(tinyTraining(folder), "--store", pathIn(folder, "file/runs.db")) + QStringList{"--steps", "2"});
    QCOMPARE(store.code, 1);
    QVERIFY2(store.errors.contains("[store]"), store.errors.constData());
  }
};
SWITCHYARD_TEST(TrainRefusalsTest)
#include "train_refusals_test.moc"
