#include <QJsonArray>
#include <QSet>

#include "tests/support/command_line.h"

using namespace moe;
using test::switchyard;

class SettingsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everySettingIsOneJsonObjectWithWhatApplies() {
    const auto result = switchyard({"settings", "--json"});
    QCOMPARE(result.code, 0);
    QSet<QString> paths;
    for (const QJsonObject& row : result.lines()) {
      const QString path = row["path"].toString(), type = row["type"].toString();
      QVERIFY2(!path.isEmpty() && !paths.contains(path), qPrintable(path));
      paths.insert(path);
      QVERIFY2(row["live"].isBool(), qPrintable(path));
      QCOMPARE(row.contains("words"), type == "choice");
      QCOMPARE(row.contains("minimum"), type == "number" || type == "integer" || type == "integers");
      if (row.contains("label")) QVERIFY2(row["tooltip"].toString().endsWith('.'), qPrintable(path));
    }
    for (const char* path :
         {"select.k", "balance.N.coefficient", "model.context", "train.steps", "alerts.window", "dtype"})
      QVERIFY2(paths.contains(path), path);
  }
  void oneSettingSaysItsRangeItsDefaultAndWhetherItIsLive() {
    const auto lines = switchyard({"settings", "select.k", "--json"}).lines();
    QCOMPARE(lines.size(), std::size_t{1});
    QCOMPARE(lines[0]["minimum"].toInt(), 1);
    QCOMPARE(lines[0]["default"].toInt(), 2);
    QCOMPARE(lines[0]["live"].toBool(), true);
    const auto term = switchyard({"settings", "balance.0.kind", "--json"}).lines();
    QCOMPARE(term.size(), std::size_t{1});
    QVERIFY(term[0]["words"].toArray().contains("load"));
  }
  void aPathShowsAllBelowItAndAnUnknownOneIsWrongUsage() {
    const auto below = switchyard({"settings", "select"});
    QCOMPARE(below.code, 0);
    QVERIFY(below.output.contains("select.force.steps") && !below.output.contains("weigh."));
    const auto unknown = switchyard({"settings", "select.kk"});
    QCOMPARE(unknown.code, 2);
    QVERIFY2(unknown.errors.contains("found select.kk"), unknown.errors.constData());
  }
};
SWITCHYARD_TEST(SettingsTest)
#include "settings_test.moc"
