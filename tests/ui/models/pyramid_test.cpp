#include "ui/models/pyramid.h"

#include <limits>

#include "tests/support/register.h"

using namespace moe::ui;

class PyramidTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyBucketKeepsTheLowestAndHighestOfItsRows() {
    Pyramid p(2);
    std::vector<std::vector<float>> rows;
    for (int i = 0; i < 203; ++i) {
      rows.push_back({static_cast<float>((i * 37) % 101), static_cast<float>((i * 53) % 89)});
      p.append(rows.back());
    }
    for (int level = 1; level <= 7; ++level)
      for (std::size_t b = 0; b < p.buckets(level); ++b)
        for (std::size_t c = 0; c < 2; ++c) {
          float low = 1e9f, high = -1e9f;
          for (std::size_t i = b << level; i < std::min<std::size_t>(203, (b + 1) << level); ++i)
            low = std::min(low, rows[i][c]), high = std::max(high, rows[i][c]);
          QCOMPARE(p.low(level, b)[c], low);
          QCOMPARE(p.high(level, b)[c], high);
        }
  }
  void aOneStepSpikeIsSeenAtTheCoarsestLevel() {
    Pyramid p;
    for (int i = 0; i < 100'000; ++i) p.append(i == 54'321 ? 9.0f : 1.0f);
    const int level = p.levelFor(0, p.size(), 300);
    QVERIFY(p.buckets(level) <= 300);
    QVERIFY(p.buckets(level - 1) > 300);
    QCOMPARE(p.high(level, 54'321u >> level)[0], 9.0f);
    QCOMPARE(p.low(level, 54'321u >> level)[0], 1.0f);
  }
  void whatHasNoValueIsIgnored() {
    Pyramid p;
    const float none = std::numeric_limits<float>::quiet_NaN();
    for (const float v : {none, 2.0f, none, none}) p.append(v);
    QCOMPARE(p.low(1, 0)[0], 2.0f);
    QVERIFY(std::isnan(p.high(1, 1)[0]));
    QCOMPARE(p.high(2, 0)[0], 2.0f);
  }
  void truncatingAndGoingOnEqualsNeverHavingBeenThere() {
    Pyramid p, expected;
    for (int i = 0; i < 77; ++i) p.append(static_cast<float>(i));
    p.truncate(33);
    for (int i = 0; i < 33; ++i) expected.append(static_cast<float>(i));
    for (Pyramid* one : {&p, &expected})
      for (int i = 0; i < 10; ++i) one->append(-1.0f);
    QCOMPARE(p.size(), expected.size());
    for (int level = 0; level < 6; ++level)
      for (std::size_t b = 0; b < p.buckets(level); ++b) {
        QCOMPARE(p.low(level, b)[0], expected.low(level, b)[0]);
        QCOMPARE(p.high(level, b)[0], expected.high(level, b)[0]);
      }
  }
};
SWITCHYARD_TEST(PyramidTest)
#include "pyramid_test.moc"
