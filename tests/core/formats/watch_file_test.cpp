#include "core/formats/watch_json.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "tests/support/register.h"

using namespace moe;

namespace {

WatchState sample() {
  WatchState watch;
  watch.loads.push_back({7, {{1, 4096, {0.1f, 0.7f, 0.2f}}, {3, 4096, {1.0f / 3, 1e-30f, 0}}}});
  watch.loads.push_back({8, {{1, 4000, {0, 1, 0}}, {3, 4001, {0.25f, 0.5f, 0.25f}}}});
  watch.alerts.push_back({.layer = 3, .expert = 2, .since = 8, .utilization = 0.0123456789});
  return watch;
}

}  // namespace

class WatchJsonTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyBitComesBack() {
    const WatchState watch = sample();
    const WatchState read = watchFromJson(nlohmann::json::parse(toJson(watch).dump()), "t", "watch");
    QVERIFY(read.loads == watch.loads);
    QCOMPARE(read.alerts.size(), std::size_t{1});
    QCOMPARE(read.alerts[0].layer, 3);
    QCOMPARE(read.alerts[0].expert, 2);
    QCOMPARE(read.alerts[0].since, std::int64_t{8});
    QCOMPARE(read.alerts[0].utilization, 0.0123456789);
  }
  void whatIsWrongIsNamed_data() {
    QTest::addColumn<QString>("pointer");
    QTest::addColumn<QString>("value");
    QTest::newRow("not a share") << "/loads/1/layers/0/share" << R"("ffffffff")";
    QTest::newRow("a digit missing") << "/loads/1/layers/0/share" << R"("3f80000")";
    QTest::newRow("no digits") << "/loads/1/layers/0/share" << R"("zzzzzzzz")";
    QTest::newRow("a number for a list") << "/loads/1/layers" << "3";
    QTest::newRow("a text for a step") << "/loads/1/step" << R"("eight")";
  }
  void whatIsWrongIsNamed() {
    QFETCH(QString, pointer);
    QFETCH(QString, value);
    nlohmann::json json = toJson(sample());
    json[nlohmann::json::json_pointer(pointer.toStdString())] = nlohmann::json::parse(value.toStdString());
    try {
      watchFromJson(json, "t", "watch");
    } catch (const Error& error) {
      QVERIFY2(QString(error.what()).contains("watch.loads.1"), error.what());
      return;
    }
    QFAIL("read without a word");
  }
};
SWITCHYARD_TEST(WatchJsonTest)
#include "watch_json_test.moc"
