#include "core/train/schedule.h"

#include <cmath>

#include "tests/support/register.h"

using namespace moe;

class ScheduleTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void warmUpIsLinearAndReachesTheRateAtItsLastStep() {
    const TrainConfig train{.steps = 100, .learningRate = 2, .schedule = TrainConfig::Schedule::constant, .warmup = 4};
    QCOMPARE(learningRateAt(train, 0), 0.5);
    QCOMPARE(learningRateAt(train, 1), 1.0);
    QCOMPARE(learningRateAt(train, 3), 2.0);
    QCOMPARE(learningRateAt(train, 99), 2.0);
  }
  void theCosineFallsFromTheRateToItsFinalShare() {
    const TrainConfig train{.steps = 100, .learningRate = 2, .warmup = 0, .finalShare = 0.1};
    QCOMPARE(learningRateAt(train, 0), 2.0);
    QVERIFY(std::abs(learningRateAt(train, 50) - 1.1) < 1e-12);  // halfway between 2 and 0.2
    QVERIFY(std::abs(learningRateAt(train, 25) - (0.2 + 1.8 * (2 + std::sqrt(2)) / 4)) < 1e-12);  // cos 45 degrees
    QVERIFY(std::abs(learningRateAt(train, 100) - 0.2) < 1e-12);
  }
  void pastTheEndTheRateStays() {
    const TrainConfig train{.steps = 100, .learningRate = 2, .warmup = 0, .finalShare = 0.25};
    QCOMPARE(learningRateAt(train, 500), 0.5);
  }
  void anotherTargetSaysWhatItDoesToTheRate() {
    TrainConfig ended{.steps = 100, .learningRate = 2, .warmup = 0, .finalShare = 0.1}, longer = ended;
    longer.steps = 200;
    const std::string said = stretchedRate(ended, longer, 100);
    QVERIFY2(said.find("stretched over 200 steps") != std::string::npos &&
                 said.find("step 101 is 1.1 instead of 0.2") != std::string::npos,
             said.c_str());
    QCOMPARE(stretchedRate(ended, ended, 100), std::string());
    ended.schedule = longer.schedule = TrainConfig::Schedule::constant;
    QCOMPARE(stretchedRate(ended, longer, 100), std::string());
  }
  void theRateHeldIsTheOneReachedInTheWarmUpToo() {
    for (const std::int64_t step : {3, 50, 100}) {
      const TrainConfig train{.steps = 100, .learningRate = 2, .warmup = 8, .finalShare = 0.1};
      TrainConfig held = train;
      held.schedule = TrainConfig::Schedule::constant;
      held.learningRate = heldRate(train, step);
      held.steps = 300;
      QVERIFY(std::abs(learningRateAt(held, step) - learningRateAt(train, step)) < 1e-12);
    }
  }
};
SWITCHYARD_TEST(ScheduleTest)
#include "schedule_test.moc"
