#include "ui/models/runs_model.h"

#include <QSignalSpy>

#include "tests/support/register.h"

using namespace moe;
using namespace moe::ui;

namespace {

ListedRun listed(RunId id, const char* name) {
  ListedRun line;
  line.summary.id = id;
  line.summary.name = name;
  line.summary.preset = "switch";
  line.summary.state = RunSummary::State::paused;
  line.summary.steps = 1234;
  line.summary.targetSteps = 5000;
  line.summary.trainLoss = 1.918;
  line.checkpointBytes = 3 * 1024 * 1024;
  return line;
}

QString shown(const RunsModel& model, int row, int column) {
  return model.data(model.index(row, column), Qt::DisplayRole).toString();
}

}  // namespace

class RunsModelTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theNewestRunStandsFirst() {
    RunsModel model;
    model.setRuns({listed(1, "old"), listed(7, "new")});
    QCOMPARE(shown(model, 0, RunsModel::name), QString("new"));
    QCOMPARE(model.rowOf(1), 1);
    QCOMPARE(model.rowOf(5), -1);
  }
  void numbersExplainThemselves() {
    RunsModel model;
    model.setRuns({listed(1, "one")});
    QVERIFY(model.explanations(0, RunsModel::name).empty());
    QCOMPARE(model.explanations(0, RunsModel::step).front().values, std::string("1,234 / 5,000 = 25 %"));
    QVERIFY(model.explanations(0, RunsModel::trainLoss).front().values.find("perplexity e^1.92 = 6.81") !=
            std::string::npos);
    QVERIFY(model.explanations(0, RunsModel::disk).front().values.find("3,145,728 bytes = 3.0 MiB") !=
            std::string::npos);
    QVERIFY(model.explanations(0, RunsModel::parameters).empty());  // its configuration cannot be read
  }
  void numbersAreReadableAndSortAsNumbers() {
    RunsModel model;
    model.setRuns({listed(1, "a")});
    QCOMPARE(shown(model, 0, RunsModel::step), QString("1,234 / 5,000"));
    QCOMPARE(shown(model, 0, RunsModel::trainLoss), QString("1.92"));
    QCOMPARE(shown(model, 0, RunsModel::validationLoss), QString::fromUtf8("–"));
    QCOMPARE(model.data(model.index(0, RunsModel::step), RunsModel::kSortRole).toLongLong(), 1234);
    QCOMPARE(model.totalBytes(), std::int64_t{3 * 1024 * 1024});
  }
  void renamingAndNotingAreAskedForNotDone() {
    RunsModel model;
    model.setRuns({listed(3, "a")});
    QSignalSpy renamed(&model, &RunsModel::renamed), noted(&model, &RunsModel::noted);
    QVERIFY(model.setData(model.index(0, RunsModel::name), " b ", Qt::EditRole));
    QVERIFY(model.setData(model.index(0, RunsModel::note), "", Qt::EditRole));
    QVERIFY(!model.setData(model.index(0, RunsModel::name), "  ", Qt::EditRole));
    QCOMPARE(renamed.size(), 1);
    QCOMPARE(renamed.front().at(1).toString(), QString("b"));
    QCOMPARE(noted.size(), 1);
    QCOMPARE(shown(model, 0, RunsModel::name), QString("a"));
  }
  void aTickAsksForAnOverlay() {
    RunsModel model;
    model.setRuns({listed(3, "a")});
    QSignalSpy ticked(&model, &RunsModel::ticked);
    model.setData(model.index(0, RunsModel::name), Qt::Checked, Qt::CheckStateRole);
    QCOMPARE(ticked.size(), 1);
    QCOMPARE(ticked.front().at(1).toBool(), true);
    QCOMPARE(model.data(model.index(0, RunsModel::name), Qt::CheckStateRole).toInt(), int(Qt::Unchecked));
    model.setTicked({3});
    QCOMPARE(model.data(model.index(0, RunsModel::name), Qt::CheckStateRole).toInt(), int(Qt::Checked));
  }
  void aNewListOfTheSameRunsKeepsTheRows() {
    RunsModel model;
    model.setRuns({listed(1, "a"), listed(2, "b")});
    QSignalSpy reset(&model, &QAbstractItemModel::modelReset);
    model.setRuns({listed(1, "a"), listed(2, "c")});
    QCOMPARE(reset.size(), 0);
    QCOMPARE(shown(model, 0, RunsModel::name), QString("c"));
    model.setRuns({listed(2, "c")});
    QCOMPARE(reset.size(), 1);
  }
};
SWITCHYARD_TEST(RunsModelTest)
#include "runs_model_test.moc"
