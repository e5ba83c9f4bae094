#include "core/data/token_list.h"

#include "tests/support/register.h"

using namespace moe;

class TokenListTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void idsComeBackInOrderWhateverTheirWidth_data() {
    QTest::addColumn<int>("vocabulary");
    QTest::addColumn<int>("bytes");
    QTest::newRow("bytes") << 256 << 1;
    QTest::newRow("one more") << 257 << 2;
    QTest::newRow("the most of two bytes") << 65'536 << 2;
    QTest::newRow("one more than those") << 65'537 << 4;
  }
  void idsComeBackInOrderWhateverTheirWidth() {
    QFETCH(int, vocabulary);
    QFETCH(int, bytes);
    QCOMPARE(tokenBytes(vocabulary), std::int64_t{bytes});
    TokenList list(vocabulary);
    std::vector<std::int32_t> ids;
    for (int i = 0; i < 10'000; ++i) ids.push_back(static_cast<std::int32_t>((i * 7919LL) % vocabulary));
    ids.push_back(vocabulary - 1);
    list.append(std::span(ids).first(5000));
    list.append(std::span(ids).subspan(5000));
    QCOMPARE(list.size(), ids.size());
    QCOMPARE(list[ids.size() - 1], vocabulary - 1);
    QVERIFY(list.ids() == ids);
    std::vector<std::int32_t> pieces;
    list.inPieces(
        [&pieces](std::span<const std::int32_t> piece) { pieces.insert(pieces.end(), piece.begin(), piece.end()); });
    QVERIFY(pieces == ids);
  }
};
SWITCHYARD_TEST(TokenListTest)
#include "token_list_test.moc"
