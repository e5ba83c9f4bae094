// Predicted peak memory beside what a whole training took, for every preset and for what a preset does not reach.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>

#include "core/backend/backend.h"
#include "core/train/run_config.h"
#include "tests/support/command_line.h"

using namespace moe;
using namespace moe::test;

namespace {

/// Bytes that the program held at its peak; 0 where it failed.
double peakOf(const std::vector<std::string>& arguments) {
  std::vector<char*> list;
  for (const std::string& argument : arguments) list.push_back(const_cast<char*>(argument.c_str()));
  list.push_back(nullptr);
  const std::string program = commandLineProgram().toStdString();
  const pid_t child = ::fork();
  if (child == 0) {
    const int nowhere = ::open("/dev/null", O_WRONLY);
    ::dup2(nowhere, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
    ::execv(program.c_str(), list.data());
    ::_exit(1);
  }
  int status = 1;
  rusage used{};
  ::wait4(child, &status, 0, &used);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 1024.0 * static_cast<double>(used.ru_maxrss) : 0;
}

}  // namespace

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
    const double measured = peakOf({"switchyard-cli", "train", "--preset", preset.toStdString(), "--steps", "12", "--dtype", narrow ? "bf16" : "f32",
                                    "--threads", "1", "--store", (folder / "runs.db").string(), "--json", "--set", "train.validate_every=0", "--set",
                                    std::string("train.recompute=") + (recompute ? "true" : "false")});
    QVERIFY(measured > 0);
    const double ratio = static_cast<double>(predictedMemory(config)) / measured;
    QVERIFY2(std::abs(ratio - 1) < 0.15, (std::to_string(ratio) + " of " + std::to_string(measured)).c_str());
  }
};
SWITCHYARD_TEST(MemoryTest)
#include "memory_test.moc"
