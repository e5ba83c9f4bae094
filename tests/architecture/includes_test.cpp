#include <QDirIterator>
#include <QFile>
#include <QMap>
#include <QRegularExpression>

#include "tests/support/register.h"

namespace {

// The floors of the house, from the ground up; an include only goes down, or stays in its own folder.
const QMap<QString, int> kFloors = {
    {"core/base", 0},         {"core/tensor", 1},  {"core/config", 2},  {"core/telemetry", 3},
    {"core/router", 4},       {"core/data", 4},    {"core/backend", 5}, {"core/parallel", 5},
    {"core/model", 6},        {"core/train", 7},   {"core/store", 7},   {"core/inspect", 8},
    {"core/golden", 8},       {"core/formats", 9}, {"core/explain", 9}, {"core/session", 10},
    {"core/experiments", 11}, {"ui", 12},          {"app", 13}};

QString houseOf(const QString& path) {
  const QStringList parts = path.split('/');
  return parts[0] == "core" ? parts[0] + '/' + parts[1] : parts[0];
}

template <class Visit>
void eachInclude(Visit visit) {
  static const QRegularExpression include("^\\s*#\\s*include\\s*[<\"]([^>\"]+)[>\"]");
  for (const QString top : {"core", "ui", "app"}) {
    QDirIterator files(QString(SWITCHYARD_SOURCE_DIR "/%1").arg(top), {"*.h", "*.cpp", "*.cu"}, QDir::Files,
                       QDirIterator::Subdirectories);
    while (files.hasNext()) {
      QFile file(files.next());
      QVERIFY(file.open(QIODevice::ReadOnly | QIODevice::Text));
      const QString path = QDir(SWITCHYARD_SOURCE_DIR).relativeFilePath(file.fileName());
      while (!file.atEnd()) {
        const auto match = include.match(QString::fromUtf8(file.readLine()));
        if (match.hasMatch()) visit(path, match.captured(1));
      }
    }
  }
}

}  // namespace

class IncludesTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void anIncludeOnlyGoesDown() {
    eachInclude([](const QString& path, const QString& included) {
      if (!included.startsWith("core/") && !included.startsWith("ui/") && !included.startsWith("app/")) return;
      const QString from = houseOf(path), to = houseOf(included);
      if (from == to) return;
      QVERIFY2(kFloors.contains(from), qPrintable(path + " is in no folder of the house"));
      QVERIFY2(kFloors.value(to, 99) < kFloors[from], qPrintable(path + " includes upwards: " + included));
    });
  }
  void theEngineIncludesNoQt() {
    static const QRegularExpression qt("^(Q[A-Z]|Qt|qcustomplot)");
    eachInclude([](const QString& path, const QString& included) {
      if (path.startsWith("core/") || path.startsWith("app/cli/"))
        QVERIFY2(!qt.match(included).hasMatch(), qPrintable(path + " includes " + included));
    });
  }
  void theWindowSpeaksNoSql() {
    eachInclude([](const QString& path, const QString& included) {
      if (path.startsWith("ui/"))
        QVERIFY2(!included.startsWith("sqlite") && !included.contains("QSql"),
                 qPrintable(path + " includes " + included));
    });
  }
};
SWITCHYARD_TEST(IncludesTest)
#include "includes_test.moc"
