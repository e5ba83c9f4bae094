#include "ui/widgets/token_layout.h"

#include "tests/support/register.h"

using namespace moe::ui;

class TokenLayoutTest : public QObject {
  Q_OBJECT
  const TokenLayout::Metrics metrics{
      .chipHeight = 20, .stripHeight = 30, .padding = 5, .gap = 4, .lineGap = 10, .leastWidth = 26};

 private Q_SLOTS:
  void aChipThatDoesNotFitBeginsTheNextLine() {
    const TokenLayout layout = TokenLayout::of({40, 40, 40}, {false, false, false}, 110, metrics);
    QCOMPARE(layout.chips[0], QRect(0, 0, 50, 20));
    QCOMPARE(layout.chips[1], QRect(54, 0, 50, 20));
    QCOMPARE(layout.chips[2], QRect(0, 60, 50, 20));
    QCOMPARE(layout.height, 120);
  }
  void aLineBreakInTheTextBeginsALine() {
    const TokenLayout layout = TokenLayout::of({40, 40}, {true, false}, 500, metrics);
    QCOMPARE(layout.chips[1].topLeft(), QPoint(0, 60));
  }
  void aNarrowTokenStillHasRoomForItsExpert() {
    QCOMPARE(TokenLayout::of({3}, {false}, 500, metrics).chips[0].width(), 26);
  }
  void aTokenWiderThanThePageStandsAloneInItsLine() {
    const TokenLayout layout = TokenLayout::of({10, 900, 10}, {false, false, false}, 200, metrics);
    QCOMPARE(layout.chips[1].left(), 0);
    QVERIFY(layout.chips[2].top() > layout.chips[1].top());
  }
  void aPointFindsTheChipAndItsStrip() {
    const TokenLayout layout = TokenLayout::of({40, 40}, {false, false}, 500, metrics);
    QCOMPARE(layout.at({60, 10}, metrics), 1);
    QCOMPARE(layout.at({60, 45}, metrics), 1);
    QCOMPARE(layout.at({52, 10}, metrics), -1);
    QCOMPARE(layout.at({60, 55}, metrics), -1);
  }
  void upAndDownGoToTheNearestChipOfTheNextLine() {
    const TokenLayout layout = TokenLayout::of({40, 40, 40, 40}, {false, true, false, false}, 500, metrics);
    QCOMPARE(layout.vertically(1, 1), 3);
    QCOMPARE(layout.vertically(2, -1), 0);
    QCOMPARE(layout.vertically(0, -1), 0);
  }
  void whiteSpaceIsMadeVisible() {
    QCOMPARE(chipText("a b\n"), QString::fromUtf8("a\u2423b\u21B5"));
    QCOMPARE(chipText(std::string("\x01", 1)), QString::fromUtf8("\u25CA"));
    QCOMPARE(chipText(""), QString::fromUtf8("\u25CA"));
  }
};
SWITCHYARD_TEST(TokenLayoutTest)
#include "token_layout_test.moc"
