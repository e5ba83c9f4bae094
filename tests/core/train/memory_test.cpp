#include <fstream>

#include "core/train/run_config.h"
#include "core/train/trainer.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;

namespace {

/// A line of this process's memory account, bytes: VmRSS now, VmHWM at its peak. 0 where the system keeps none.
double memory(const std::string& key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key + ":")) return 1024.0 * std::stod(line.substr(key.size() + 1));
  return 0;
}

/// Lets the peak begin anew from what is held now.
bool forgetPeak() {
  std::ofstream forget("/proc/self/clear_refs");
  forget << "5" << std::flush;
  return forget.good();
}

}  // namespace

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
  // Of the whole program, over every preset: tests/app/cli/memory_test.cpp. Here what that does not reach.
  void isWithinFifteenPercentOfWhatTrainingTakes_data() {
    QTest::addColumn<bool>("narrow");
    QTest::addColumn<bool>("recompute");
    QTest::newRow("f32") << false << false;
    QTest::newRow("f32, layers computed again") << false << true;
    if (canCompute("onednn", DType::bf16)) QTest::newRow("bf16") << true << false;
    if (canCompute("onednn", DType::bf16)) QTest::newRow("bf16, layers computed again") << true << true;
  }
  void isWithinFifteenPercentOfWhatTrainingTakes() {
    QFETCH(bool, narrow);
    QFETCH(bool, recompute);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    QSKIP("the sanitizer's own memory would be measured");
#endif
    RunConfig config = runConfigOfPreset("mixtral");
    config.computeType = narrow ? DType::bf16 : DType::f32;
    config.train.recompute = recompute;
    const auto corpus = test::tinyCorpus(8);
    if (!forgetPeak() || memory("VmHWM") == 0) QSKIP("this system does not tell a process its peak memory");
    const double before = memory("VmRSS");
    const auto backend = makeBackend({.name = "onednn", .threads = 1, .computeType = *config.computeType});
    Trainer trainer(*backend, config, corpus);
    for (int i = 0; i < 2; ++i) trainer.step();
    const TrainingState saved = trainer.state();  // as a checkpoint that is being written holds it
    // What the prediction counts besides: the program, and a run's store and files.
    const double measured = memory("VmHWM") - before + static_cast<double>(kProgramMemory) + (12 << 20);
    const auto predicted = static_cast<double>(predictedMemory(config));
    QVERIFY2(std::abs(predicted / measured - 1) < 0.15, std::to_string(predicted / measured).c_str());
  }
};
SWITCHYARD_TEST(PredictedMemoryTest)
#include "memory_test.moc"
