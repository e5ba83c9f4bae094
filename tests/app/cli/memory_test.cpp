// Predicted peak memory beside what a whole training took, for every preset and for what a preset does not reach.
#include <cmath>

#include "core/backend/backend.h"
#include "core/data/text_files.h"
#include "core/train/run_config.h"
#include "tests/support/command_line.h"
#include "tests/support/measured_process.h"

using namespace moe;
using namespace moe::test;

class MemoryTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void trainingTakesWhatWasPredictedToFifteenPercent_data() {
    QTest::addColumn<QString>("preset");
    QTest::addColumn<bool>("narrow");
    QTest::addColumn<bool>("recompute");
    for (const Preset& preset : presets())
      QTest::newRow(preset.id.c_str()) << QString::fromStdString(preset.id) << false << false;
    QTest::newRow("layers computed again") << "mixtral" << false << true;
    if (!canCompute("onednn", DType::bf16)) return;
    QTest::newRow("bf16") << "mixtral" << true << false;
    QTest::newRow("bf16, layers computed again") << "mixtral" << true << true;
  }
  void trainingTakesWhatWasPredictedToFifteenPercent() {
    QFETCH(QString, preset);
    QFETCH(bool, narrow);
    QFETCH(bool, recompute);
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    QSKIP("the sanitizer's own memory would be measured");
#endif
    RunConfig config = runConfigOfPreset(preset.toStdString());
    config.computeType = narrow ? DType::bf16 : DType::f32;
    config.train.recompute = recompute;
    const TemporaryFolder folder;
    // Steps enough to have the first checkpoint written beside them.
    const Taken taken = measured(
        commandLineProgram().toStdString(),
        {"switchyard-cli", "train", "--preset", preset.toStdString(), "--steps", "12", "--dtype",
         narrow ? "bf16" : "f32", "--threads", "1", "--store", (folder / "runs.db").string(), "--json", "--set",
         "train.validate_every=0", "--set", std::string("train.recompute=") + (recompute ? "true" : "false")});
    QVERIFY(taken.succeeded);
    const double ratio = static_cast<double>(predictedMemory(config, textSize(config.data))) / taken.peak;
    QVERIFY2(std::abs(ratio - 1) < 0.15, (std::to_string(ratio) + " of " + std::to_string(taken.peak)).c_str());
  }
};
SWITCHYARD_TEST(MemoryTest)
#include "memory_test.moc"
