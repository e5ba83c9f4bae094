#include "ui/views/runs_table.h"

#include <QAction>
#include <QFileDialog>
#include <QTableView>
#include <QTimer>

#include "tests/support/played_window.h"
#include "tests/support/register.h"
#include "tests/support/stored_points.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::ui;

namespace {

ListedRun listed(RunId id, const std::string& name) {
  ListedRun line;
  line.summary.id = id;
  line.summary.name = name;
  return line;
}

QAction* actionCalled(const QWidget& table, const QString& text) {
  for (QAction* action : table.findChildren<QAction*>())
    if (action->text().startsWith(text)) return action;
  return nullptr;
}

}  // namespace

class RunsTableTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theRunChosenIsExportedThoughTheListIsReadAnewWhileTheDialogIsOpen() {
    const test::TemporaryFolder folder;
    const auto store = RunStore::open(folder / "runs.db", RunStore::Access::write);
    for (const char* name : {"first", "second"}) {
      RunSummary summary;
      summary.name = name;
      const RunId run = store->createRun(summary);
      if (run == 2) store->append(run, test::pointsFrom(1, 5));
    }
    test::PlayedWindow window;
    RunsTable table(window.context);
    table.showRuns({listed(1, "first"), listed(2, "second")});
    table.choose(2);
    const QString path = QString::fromStdString((folder / "second.csv").string());
    QTimer::singleShot(0, &table, [&] {
      for (int refresh = 0; refresh < 20; ++refresh) {
        std::vector<ListedRun> many;
        for (RunId run = 1; run <= 2 + refresh; ++run)
          many.push_back(listed(run, "a name too long to lie within the string itself " + std::to_string(run)));
        table.showRuns(many);
      }
      auto* dialog = qobject_cast<QFileDialog*>(QApplication::activeModalWidget());
      QVERIFY(dialog);
      dialog->selectFile(path);
      QMetaObject::invokeMethod(dialog, "accept", Qt::DirectConnection);
    });
    QAction* action = actionCalled(table, "Export");
    QVERIFY(action && action->isEnabled());
    const std::size_t before = window.asked.size();
    action->trigger();
    QCOMPARE(window.asked.size(), before + 1);
    window.asked.back().first(*store);
    QVERIFY(QString::fromStdString(test::readText(path.toStdString())).count('\n') == 6);  // a header and five steps
  }
};
SWITCHYARD_TEST(RunsTableTest)
#include "runs_table_test.moc"
