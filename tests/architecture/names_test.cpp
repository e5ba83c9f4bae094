#include <QDirIterator>
#include <QFile>
#include <QRegularExpression>

#include "tests/support/register.h"

class NamesTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  // A system is a preset file. Papers are cited by author in comments, so comments are left out.
  void noCodeContainsASystemsName() {
    static const QRegularExpression system(
        "mixtral|deepseek|gshard|st_moe|dbrx|arctic|qwen|kimi|llama4|llama "
        "4|gpt_oss|gpt-oss|olmoe|mistral|jacobs|shazeer",
        QRegularExpression::CaseInsensitiveOption);
    static const QRegularExpression comment("//.*$");
    for (const QString top : {"core", "ui", "app"}) {
      QDirIterator files(QString(SWITCHYARD_SOURCE_DIR "/%1").arg(top), {"*.h", "*.cpp", "*.cu"}, QDir::Files,
                         QDirIterator::Subdirectories);
      while (files.hasNext()) {
        QFile file(files.next());
        QVERIFY(file.open(QIODevice::ReadOnly | QIODevice::Text));
        for (int line = 1; !file.atEnd(); ++line) {
          const QString code = QString::fromUtf8(file.readLine()).remove(comment);
          QVERIFY2(!system.match(code).hasMatch(),
                   qPrintable(QString("%1:%2: %3").arg(file.fileName()).arg(line).arg(code)));
        }
      }
    }
  }
  void noFileGrowsPastFiveHundredLines() {
    for (const QString top : {"core", "ui", "app", "tests"}) {
      QDirIterator files(QString(SWITCHYARD_SOURCE_DIR "/%1").arg(top), {"*.h", "*.cpp"}, QDir::Files,
                         QDirIterator::Subdirectories);
      while (files.hasNext()) {
        QFile file(files.next());
        QVERIFY(file.open(QIODevice::ReadOnly));
        const qsizetype lines = file.readAll().count('\n');
        QVERIFY2(lines <= 500,
                 qPrintable(QString("%1 has %2 lines: look for its second concept").arg(file.fileName()).arg(lines)));
      }
    }
  }
};
SWITCHYARD_TEST(NamesTest)
#include "names_test.moc"
