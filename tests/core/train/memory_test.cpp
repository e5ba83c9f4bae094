#include "core/data/text_files.h"
#include "core/train/run_config.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;

/// Against what training takes: tests/app/cli/memory_test.cpp, a process a run.
class PredictedMemoryTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void growsWithEverySize() {
    const RunConfig base = test::tinyConfig();
    for (const auto& [path, value] :
         std::initializer_list<std::pair<const char*, const char*>>{{"model.width", "64"},
                                                                    {"model.layers", "9"},
                                                                    {"experts.count", "16"},
                                                                    {"experts.hidden", "99"},
                                                                    {"train.batch", "50"},
                                                                    {"model.context", "200"},
                                                                    {"data.tokenizer", "bpe"}}) {
      RunConfig larger = base;
      setByPath(larger, path, value);
      QVERIFY2(predictedMemory(larger, textSize(larger.data)) > predictedMemory(base, textSize(base.data)), path);
    }
  }
  void countsTheTextAndWhatItTakesToBeLoaded() {
    RunConfig config = test::tinyConfig();
    const std::int64_t none = predictedMemory(config, {}), mib = 1 << 20;
    QCOMPARE(predictedMemory(config, {.bytes = mib, .largest = mib, .tokens = mib}), none + mib);
    const std::int64_t large = 3000 * mib;
    QVERIFY(predictedMemory(config, {.bytes = large, .largest = large, .tokens = large}) >=
            2 * large);  // the file beside its tokens
    QVERIFY(predictedMemory(config, {.bytes = large, .largest = large / 100, .tokens = large}) < large + large / 10);
    QVERIFY(predictedMemory(config, {.bytes = large, .largest = large, .tokens = large, .words = large}) >= 16 * large);
  }
  void countsTheAlertsWindowAsFarAsStepsFillIt() {
    RunConfig config = test::tinyConfig();
    config.alerts.window = 10'000;
    config.train.steps = 100;
    const std::int64_t few = predictedMemory(config, {});
    config.train.steps = 10'000;
    const std::int64_t many = predictedMemory(config, {});
    config.train.steps = 100'000;
    QVERIFY(many > few);
    QCOMPARE(predictedMemory(config, {}), many);
  }
};
SWITCHYARD_TEST(PredictedMemoryTest)
#include "memory_test.moc"
