#include <QJsonArray>

#include "tests/support/command_line.h"

using namespace moe;
using test::switchyard;

class ExpertsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void initTestCase() {
    const auto trained =
        switchyard(test::tinyTraining(folder_) + QStringList{"--steps", "12", "--checkpoint-every", "6", "--json"});
    QVERIFY2(trained.code == 0, trained.errors.constData());
    checkpoint_ = at("out");
  }
  void anAddedExpertTrainsOnInARunOfItsOwn() {
    const auto added = switchyard(
        {"experts", "add", "--checkpoint", checkpoint_ + "/step-6", "--to", at("more"), "--layer", "1", "--json"});
    QVERIFY2(added.code == 0, added.errors.constData());
    QCOMPARE(added.lines()[0]["step"].toInt(), 6);
    QVERIFY(
        added.lines()[0]["text"].toString().startsWith("1 expert was added to layer 1, a copy of the busiest (L1 E"));
    const auto resumed =
        switchyard({"train", "--resume", at("more"), "--store", at("runs.db"), "--out", at("on"), "--json"});
    QVERIFY2(resumed.code == 0, resumed.errors.constData());
    const QJsonObject first = resumed.lines()[0];
    QCOMPARE(first["step"].toInt(), 7);
    QCOMPARE(first["load"].toArray()[0].toArray().size(), 4);
    QCOMPARE(first["load"].toArray()[1].toArray().size(), 5);
    QCOMPARE(resumed.lines().back()["run"].toInt(), 2);
    // And again from where that run stands.
    const auto again = switchyard({"train", "--resume", at("on"), "--store", at("runs.db"), "--steps", "14", "--json"});
    QVERIFY2(again.code == 0, again.errors.constData());
    QCOMPARE(again.lines().back()["steps"].toInt(), 14);
  }
  void removalIsWhatEvaluationWithoutTheExpertSaid() {
    const auto removed = switchyard({"experts", "remove", "--checkpoint", checkpoint_, "--to", at("less"), "--layer",
                                     "0", "--expert", "2", "--json"});
    QVERIFY2(removed.code == 0, removed.errors.constData());
    const auto loss = [](const QStringList& arguments) {
      return switchyard(arguments).lines().at(0)["val_loss"].toDouble();
    };
    const double without = loss({"evaluate", "--checkpoint", checkpoint_, "--without", "0:2", "--json"});
    QVERIFY(std::abs(loss({"evaluate", "--checkpoint", at("less"), "--json"}) - without) < 1e-5);
  }
  void wrongUsageIsToldAndNothingIsOverwritten() {
    const QStringList base{"experts", "remove", "--checkpoint", checkpoint_, "--to", at("once"), "--expert"};
    QCOMPARE(switchyard(base + QStringList{"9"}).code, 1);
    QCOMPARE(switchyard(base + QStringList{"0", "--layer", "x"}).code, 2);
    QCOMPARE(switchyard(base + QStringList{"0"}).code, 0);
    const auto twice = switchyard(base + QStringList{"0"});
    QCOMPARE(twice.code, 1);
    QVERIFY(twice.errors.contains("name another folder"));
  }
  void aCollapsingRunRestartsWithMoreDropoutUntilItsLimit() {
    const test::TemporaryFolder folder;
    // Every load short of the fair share is an alert: each run raises one at its first step.
    const auto trained =
        switchyard(test::tinyTraining(folder) + QStringList{"--steps", "6", "--json", "--set", "alerts.window=1",
                                                            "--set", "alerts.clears=1", "--set", "alerts.threshold=1",
                                                            "--set", "alerts.restart.retries=2"});
    QVERIFY2(trained.code == 0, trained.errors.constData());
    std::vector<QJsonObject> notes;
    for (const QJsonObject& line : trained.lines())
      if (line.contains("note")) notes.push_back(line);
    QCOMPARE(notes.size(), std::size_t(3));
    QVERIFY2(notes[0]["note"].toString().contains("expert dropout 0 to 0.1. Automatic restart 1 of 2"),
             qPrintable(notes[0]["note"].toString()));
    QVERIFY(notes[1]["note"].toString().contains("expert dropout 0.1 to 0.2. Automatic restart 2 of 2"));
    QVERIFY(notes[2]["note"].toString().contains("no more are tried"));
    QCOMPARE(trained.lines().back()["run"].toInt(), 3);
    QVERIFY(trained.lines().back()["checkpoint"].toString().endsWith("restart-2/step-6"));
  }

 private:
  QString at(const char* name) const { return QString::fromStdString((folder_ / name).string()); }
  test::TemporaryFolder folder_;
  QString checkpoint_;
};
SWITCHYARD_TEST(ExpertsTest)
#include "experts_test.moc"
