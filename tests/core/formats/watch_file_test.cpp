#include "core/formats/watch_file.h"

#include <nlohmann/json.hpp>

#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/formats/safetensors.h"
#include "tests/support/register.h"
#include "tests/support/small_checkpoint.h"
#include "tests/support/temporary_folder.h"

using namespace moe;
using namespace moe::test;

namespace {

std::vector<StepLoads> sampleLoads() {
  return {{7, {{1, 4096, {0.1f, 0.7f, 0.2f}}, {3, 4096, {1.0f / 3, 1e-30f, 0}}}},
          {8, {{1, 4000, {0, 1, 0}}, {3, 4001, {0.25f, 0.5f, 0.25f}}}}};
}

/// As older programs wrote it: eight hexadecimal digits a share.
nlohmann::json olderWatch() {
  return nlohmann::json::parse(R"({"alerts": [], "restarts": 0, "loads": [
    {"step": 7, "layers": [{"layer": 1, "assignments": 4096, "share": "3f0000003f000000"}]},
    {"step": 8, "layers": [{"layer": 1, "assignments": 4000, "share": "3f8000000000000a"}]}]})");
}

}  // namespace

class WatchFileTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyBitOfTheLoadsComesBack() {
    const TemporaryFolder folder;
    const auto there = [&](const std::vector<StepLoads>& loads) {
      const std::int64_t bytes = writeLoads("t", folder / "loads", loads);
      if (bytes != static_cast<std::int64_t>(std::filesystem::file_size(folder / "loads")))
        throw Error("t", "not the bytes written");
      return readLoads("t", folder / "loads");
    };
    QVERIFY(there(sampleLoads()) == sampleLoads());
    QVERIFY(there({}).empty());
    // The window forgets what was before a change of layers or experts, so the file does.
    std::vector<StepLoads> changed = sampleLoads();
    changed.push_back({9, {{1, 64, {0.5f, 0.5f}}}});
    QVERIFY(there(changed) == (std::vector<StepLoads>{changed.back()}));
  }
  void alertsAndRestartsComeBack() {
    WatchState watch;
    watch.alerts.push_back({.layer = 3, .expert = 2, .since = 8, .utilization = 0.0123456789});
    watch.restarts = 2;
    const WatchState read = watchFromJson(nlohmann::json::parse(toJson(watch).dump()), "t", "watch");
    QCOMPARE(read.alerts.size(), std::size_t{1});
    QCOMPARE(read.alerts[0].layer, 3);
    QCOMPARE(read.alerts[0].expert, 2);
    QCOMPARE(read.alerts[0].since, std::int64_t{8});
    QCOMPARE(read.alerts[0].utilization, 0.0123456789);
    QCOMPARE(read.restarts, 2);
  }
  void loadsThatAnOlderProgramSavedAreRead() {
    const std::vector<StepLoads> loads = watchFromJson(olderWatch(), "t", "watch").loads;
    QVERIFY(loads == (std::vector<StepLoads>{{7, {{1, 4096, {0.5f, 0.5f}}}}, {8, {{1, 4000, {1.0f, 1.4e-44f}}}}}));
  }
  void whatIsWrongInAnOlderOneIsNamed_data() {
    QTest::addColumn<QString>("pointer");
    QTest::addColumn<QString>("value");
    // clang-format off
    QTest::newRow("not a share") << "/loads/1/layers/0/share" << R"("ffffffff")";
    QTest::newRow("a digit missing") << "/loads/1/layers/0/share" << R"("3f80000")";
    QTest::newRow("no digits") << "/loads/1/layers/0/share" << R"("zzzzzzzz")";
    QTest::newRow("a number for a list") << "/loads/1/layers" << "3";
    QTest::newRow("a text for a step") << "/loads/1/step" << R"("eight")";
    // clang-format on
  }
  void whatIsWrongInAnOlderOneIsNamed() {
    QFETCH(QString, pointer);
    QFETCH(QString, value);
    nlohmann::json json = olderWatch();
    json[nlohmann::json::json_pointer(pointer.toStdString())] = nlohmann::json::parse(value.toStdString());
    const std::string said = sentenceOf([&] { watchFromJson(json, "t", "watch"); });
    QVERIFY2(said.find("watch.loads.1") != std::string::npos, said.c_str());
  }
  void whatIsWrongInTheFileIsNamed_data() {
    QTest::addColumn<QStringList>("names");
    QTest::addColumn<QString>("said");
    QTest::newRow("steps missing") << QStringList{"layers.1.share"} << "step: expected a row for each step";
    QTest::newRow("no numbers of steps") << QStringList{"step"} << "step: expected a row for each step";
    QTest::newRow("no layer") << QStringList{"layers.x.share"} << "layers.x.share: expected the number of a layer";
  }
  void whatIsWrongInTheFileIsNamed() {
    QFETCH(QStringList, names);
    QFETCH(QString, said);
    const TemporaryFolder folder;
    const Tensor steps = hostTensor({2}, DType::i64), share = tensorOf({2, 2}, 0);
    std::vector<NamedView> views;
    if (!names.contains("layers.1.share") && !names.contains("step")) views.push_back({"step", steps});
    for (const QString& name : names) views.push_back({name.toStdString(), share});
    {
      FileWriter file("t", folder / "loads");
      writeSafetensors(file, views);
      file.close();
    }
    const std::string found = sentenceOf([&] { readLoads("t", folder / "loads"); });
    QVERIFY2(found.find(said.toStdString()) != std::string::npos, found.c_str());
  }
};
SWITCHYARD_TEST(WatchFileTest)
#include "watch_file_test.moc"
