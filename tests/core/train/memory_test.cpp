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
      QVERIFY2(predictedMemory(larger) > predictedMemory(base), path);
    }
  }
};
SWITCHYARD_TEST(PredictedMemoryTest)
#include "memory_test.moc"
