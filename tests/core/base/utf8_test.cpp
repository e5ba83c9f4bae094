#include "core/base/utf8.h"

#include "tests/support/register.h"

using namespace moe;

class Utf8Test : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void validTextHasNoInvalidByte() { QVERIFY(!firstInvalidUtf8("plain, \xc3\xa4, \xe2\x82\xac, \xf0\x9f\x9a\x82")); }
  void theOffsetOfTheFirstInvalidByteIsGiven_data() {
    QTest::addColumn<QByteArray>("bytes");
    QTest::addColumn<int>("offset");
    QTest::newRow("stray continuation") << QByteArray("ab\x80") << 2;
    QTest::newRow("cut short") << QByteArray("abc\xe2\x82") << 3;
    QTest::newRow("overlong") << QByteArray("\xc0\xaf") << 0;
    QTest::newRow("surrogate") << QByteArray("a\xed\xa0\x80") << 1;
    QTest::newRow("above U+10FFFF") << QByteArray("a\xf5\x80\x80\x80") << 1;
    QTest::newRow("Latin-1") << QByteArray("caf\xe9 au lait") << 3;
  }
  void theOffsetOfTheFirstInvalidByteIsGiven() {
    QFETCH(QByteArray, bytes);
    QFETCH(int, offset);
    const auto found = firstInvalidUtf8(bytes.toStdString());
    QVERIFY(found.has_value());
    QCOMPARE(static_cast<int>(*found), offset);
  }
  void controlCharactersAreBinaryButWhitespaceIsNot() {
    QVERIFY(!firstBinaryByte("a\tb\r\nc\f"));
    QCOMPARE(firstBinaryByte(std::string_view("ab\0c", 4)), std::optional<std::size_t>(2));
  }
  void codePointsComeBackAsTheyWentIn() {
    std::string text;
    for (char32_t c : {U'a', U'\u00e4', U'\u20ac', U'\U0001F682'}) appendUtf8(text, c);
    std::size_t at = 0;
    for (char32_t c : {U'a', U'\u00e4', U'\u20ac', U'\U0001F682'}) QCOMPARE(nextCodePoint(text, at), c);
    QCOMPARE(at, text.size());
  }
  void aNameIsShownOnOneLineWithItsControlsEscaped() {
    QCOMPARE(shownName("caf\u00e9 1"), std::string("caf\u00e9 1"));
    QCOMPARE(shownName("a\nb\t\x1b[31mc"), std::string("a\\nb\\t\\x1B[31mc"));
    QCOMPARE(shownName("\u202Etxt.exe\u2066"),
             std::string("\\u202Etxt.exe\\u2066"));  // would be read from the other end
    QCOMPARE(shownName("a\u2028b\uFEFF"), std::string("a\\u2028b\\uFEFF"));
    QCOMPARE(shownName("\u05d0\u0627 \U0001F682"),
             std::string("\u05d0\u0627 \U0001F682"));  // letters stay, whichever way they run
    QCOMPARE(shownName("caf\xe9"), std::string("caf\\xE9"));
    QCOMPARE(shownName("\u009b31m"), std::string("\\xC2\\x9B31m"));  // a control sequence of one character
  }
  void bytesOfNoCharacterAreShownAsReplacements() {
    QCOMPARE(displayable("a\xff"
                         "b"),
             std::string("a\xef\xbf\xbd"
                         "b"));
  }
};
SWITCHYARD_TEST(Utf8Test)
#include "utf8_test.moc"
