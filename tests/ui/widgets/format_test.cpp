#include "ui/widgets/format.h"

#include <limits>

#include "tests/support/register.h"

using namespace moe::ui;

class FormatTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void numbersKeepThreeDigitsThatCount() {
    QCOMPARE(number(1.9249), QString("1.92"));
    QCOMPARE(number(0.03119), QString("0.0312"));
    QCOMPARE(number(12.345), QString("12.3"));
    QCOMPARE(number(99.97), QString("100"));
    QCOMPARE(number(0.0000123), QString("1.23e-05"));
    QCOMPARE(number(0), QString("0"));
    QCOMPARE(number(std::numeric_limits<double>::quiet_NaN()), QString(QChar(0x2013)));
  }
  void countsCarryTheirUnitAndNeverReadThousandOfOne() {
    QCOMPARE(grouped(1234567), QString("1,234,567"));
    QCOMPARE(shortCount(950), QString("950"));
    QCOMPARE(shortCount(999.9), QString("1.0k"));
    QCOMPARE(shortCount(4'600'000), QString("4.6 M"));
    QCOMPARE(speed(8300), QString("8.3k tok/s"));
    QCOMPARE(speed(0), QString(QChar(0x2013)));
  }
  void sharesTimesAndSizesReadAsPeopleWriteThem() {
    QCOMPARE(percent(0.12), QString("12 %"));
    QCOMPARE(percent(0.004), QString("0.4 %"));
    QCOMPARE(percent(0), QString("0 %"));
    QCOMPARE(duration(45.4), QString("45 s"));
    QCOMPARE(duration(200), QString("3 min 20 s"));
    QCOMPARE(duration(7500), QString("2 h 05 min"));
    QCOMPARE(bytes(512), QString("512 B"));
    QCOMPARE(bytes(12'900'000), QString("12 MiB"));
    QCOMPARE(flops(21.3e6), QString("21 MFLOP"));
  }
};
SWITCHYARD_TEST(FormatTest)
#include "format_test.moc"
