#include "core/base/number_text.h"

#include <QDirIterator>
#include <QFile>
#include <QRegularExpression>
#include <clocale>
#include <cmath>

#include "tests/support/register.h"

using namespace moe;

class NumberTextTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void sentencesSayUpToSixDigits() {
    QCOMPARE(numberText(0.05), std::string("0.05"));
    QCOMPARE(numberText(1e-5), std::string("1e-05"));
    QCOMPARE(numberText(1234567), std::string("1.23457e+06"));
    QCOMPARE(numberText(2.0 / 3, 3), std::string("0.667"));
  }
  void decimalsAreAsManyAsAsked() {
    QCOMPARE(fixedText(4.6, 2), std::string("4.60"));
    QCOMPARE(fixedText(-0.04, 1), std::string("-0.0"));
    QCOMPARE(fixedText(1e300, 1).size(), std::size_t{303});
    QCOMPARE(scientificText(1e-6, 0), std::string("1e-06"));
  }
  void theShortestDigitsReadBackEqual() {
    for (const double number : {0.1, 1.0 / 3, -1e-300, 5e-324, 1.7976931348623157e308, 0.0})
      QCOMPARE(numberIn(shortestText(number)), number);
    QCOMPARE(shortestText(0.1f), std::string("0.1"));
    QVERIFY(std::isnan(numberIn("1,5")) && std::isnan(numberIn("")) && std::isnan(numberIn("2 ")));
  }
  void aDecimalCommaChangesNothing() {
    const std::string before = std::setlocale(LC_ALL, nullptr);
    if (!std::setlocale(LC_ALL, "de_DE.UTF-8") && !std::setlocale(LC_ALL, "fr_FR.UTF-8"))
      QSKIP("Skipped: no locale with a decimal comma is installed here.");
    const std::string sentence = numberText(0.05), fixed = fixedText(4.6, 2), digits = shortestText(0.1);
    const double read = numberIn("1.5");
    std::setlocale(LC_ALL, before.c_str());
    QCOMPARE(sentence, std::string("0.05"));
    QCOMPARE(fixed, std::string("4.60"));
    QCOMPARE(digits, std::string("0.1"));
    QCOMPARE(read, 1.5);
  }
  /// printf, strtod and streams take the decimal point of the locale, which Qt sets to the desktop's.
  void nothingThatTheWindowRunsWritesOrReadsNumbersByTheLocale() {
    static const QRegularExpression byLocale(
        "printf\\s*\\(.*%[-+ "
        "#0]*[*0-9]*(\\.[*0-9]+)?[aefgAEFG]|\\b(strtod|strtof|strtold|stod|stof|atof)\\s*\\(|\\bstd::i?o?"
        "stringstream\\b");
    QStringList found;
    for (const QString top : {"core", "ui"}) {
      QDirIterator files(QString(SWITCHYARD_SOURCE_DIR "/%1").arg(top), {"*.h", "*.cpp", "*.cu", "*.cuh"}, QDir::Files,
                         QDirIterator::Subdirectories);
      while (files.hasNext()) {
        QFile file(files.next());
        QVERIFY(file.open(QIODevice::ReadOnly | QIODevice::Text));
        for (int line = 1; !file.atEnd(); ++line)
          if (byLocale.match(QString::fromUtf8(file.readLine())).hasMatch())
            found << QString("%1:%2").arg(file.fileName()).arg(line);
      }
    }
    QVERIFY2(found.isEmpty(), qPrintable(found.join('\n')));
  }
};
SWITCHYARD_TEST(NumberTextTest)
#include "number_text_test.moc"
