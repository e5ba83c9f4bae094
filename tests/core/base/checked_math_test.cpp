#include "core/base/checked_math.h"

#include <cstdint>

#include "tests/support/register.h"

using namespace moe;

class CheckedMathTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aSumThatDoesNotFitIsNothing() {
    QCOMPARE(checkedAdd<std::int64_t>(INT64_MAX - 1, 1), std::optional<std::int64_t>(INT64_MAX));
    QVERIFY(!checkedAdd<std::int64_t>(INT64_MAX, 1));
    QVERIFY(!checkedAdd<std::uint64_t>(UINT64_MAX, 1));
  }
  void aProductThatDoesNotFitIsNothing() {
    QCOMPARE(checkedMultiply<std::int64_t>(1LL << 31, 1LL << 31), std::optional<std::int64_t>(1LL << 62));
    QVERIFY(!checkedMultiply<std::int64_t>(1LL << 32, 1LL << 31));
  }
  void aCastThatChangesTheValueIsNothing() {
    QCOMPARE((checkedCast<std::int32_t>(std::int64_t{-5})), std::optional<std::int32_t>(-5));
    QVERIFY((!checkedCast<std::uint64_t>(std::int64_t{-1})));
    QVERIFY((!checkedCast<std::int64_t>(UINT64_MAX)));
    QVERIFY((!checkedCast<std::int32_t>(std::int64_t{1} << 31)));
  }
};
SWITCHYARD_TEST(CheckedMathTest)
#include "checked_math_test.moc"
