#include <filesystem>

#include "tests/behaviour/training.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

class LearningTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aThousandStepsOfShakespeareReachOnePointEightNatsAByte() {
    SKIP_UNDER_SANITIZERS
    const char* text = SWITCHYARD_SOURCE_DIR "/../shared/data/tinyshakespeare.txt";
    if (!std::filesystem::exists(text)) QSKIP("tinyshakespeare.txt is not beside this checkout");
    RunConfig config = runConfigOfPreset("mixtral");
    config.data.source = text;
    config.computeType = DType::f32;
    const Trained run = train(std::move(config), 1000, 0);
    QVERIFY2(run.validationLoss <= 1.80, qPrintable(QString("%1 nats/byte").arg(run.validationLoss)));
  }
};
SWITCHYARD_TEST(LearningTest)
#include "learning_test.moc"
