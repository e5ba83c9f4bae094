#include <QJsonArray>

#include "tests/support/command_line.h"

using namespace moe;
using test::switchyard;

class EvaluateTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    const auto trained = switchyard(test::tinyTraining(folder_) + QStringList{"--steps", "12", "--json", "--set",
                                                                              "combine.shared.count=1", "--set",
                                                                              "combine.shared.hidden=16"});
    QVERIFY2(trained.code == 0, trained.errors.constData());
    loss_ = trained.lines().back()["val_loss"].toDouble();
    checkpoint_ = QString::fromStdString((folder_ / "out").string());
  }
  void theLossIsTheOneThatTrainingMeasured() {
    const QJsonObject line = evaluated({});
    QCOMPARE(line["val_loss"].toDouble(), loss_);
    QCOMPARE(line["step"].toInt(), 12);
    QVERIFY(line["tokens"].toInt() > 100);
  }
  void withoutAnExpertItIsAnotherAndTheCheckpointStaysAsItWas() {
    const double routed = evaluated({"--without", "1:0"})["val_loss"].toDouble();
    const double shared = evaluated({"--without", "all:shared"})["val_loss"].toDouble();
    const double more = evaluated({"--without", "all:shared", "--set", "select.k=3"})["val_loss"].toDouble();
    QVERIFY(routed != loss_ && shared != loss_ && more != shared);
    QCOMPARE(evaluated({"--without", "0:1,1:2"})["without"].toArray().size(), 2);
    QCOMPARE(evaluated({})["val_loss"].toDouble(), loss_);
  }
  void itTakesAtMostSoManyTokensAndSaysOfHowMany() {
    QCOMPARE(evaluated({"--tokens", "10"})["tokens"].toInt(), 10);
    QCOMPARE(evaluated({"--tokens", "40"})["tokens"].toInt(), 32);  // whole windows of 16
    const auto plain = switchyard({"evaluate", "--checkpoint", checkpoint_, "--tokens", "10"});
    QVERIFY2(plain.output.contains("over 10 of ") && plain.output.contains(" held-out tokens"),
             plain.output.constData());
  }
  void itSaysWhatTheNumberDependsOn() {
    QCOMPARE(evaluated({})["notes"].toArray().size(), 0);
    QVERIFY(evaluated({"--set", "capacity.factor=1"})["notes"].toArray()[0].toString().contains("train.batch"));
    QVERIFY(evaluated({"--without", "1:0"})["notes"].toArray()[0].toString().contains("softmax"));
  }
  void aHashedModelIsReadBackWithItsTable() {
    const test::TemporaryFolder folder;
    const auto trained = switchyard(test::tinyTraining(folder) +
                                    QStringList{"--set", "logits.kind=none", "--set", "select.kind=hash", "--set",
                                                "weigh.kind=one", "--set", "balance=[]", "--steps", "4", "--json"});
    QVERIFY2(trained.code == 0, trained.errors.constData());
    const auto result =
        switchyard({"evaluate", "--checkpoint", QString::fromStdString((folder / "out").string()), "--json"});
    QVERIFY2(result.code == 0, result.errors.constData());
    QCOMPARE(result.lines()[0]["val_loss"].toDouble(), trained.lines().back()["val_loss"].toDouble());
  }
  void wrongUsageIsTold() {
    const auto code = [&](const QStringList& more) {
      return switchyard(QStringList{"evaluate", "--checkpoint", checkpoint_} + more).code;
    };
    QCOMPARE(code({"--without", "zero:one"}), 2);
    QCOMPARE(code({"--set", "experts.count=8"}), 2);
    QCOMPARE(code({"--set", "select.k=9"}), 2);
    QCOMPARE(code({"--without", "0:9"}), 1);
    QCOMPARE(code({"--data", "/nowhere.txt"}), 1);
    QCOMPARE(code({}), 0);
  }

 private:
  QJsonObject evaluated(const QStringList& more) {
    const auto result = switchyard(QStringList{"evaluate", "--checkpoint", checkpoint_, "--json"} + more);
    return result.code == 0 ? result.lines()[0] : QJsonObject{{"errors", QString(result.errors)}};
  }
  test::TemporaryFolder folder_;
  QString checkpoint_;
  double loss_ = 0;
};
SWITCHYARD_TEST(EvaluateTest)
#include "evaluate_test.moc"
