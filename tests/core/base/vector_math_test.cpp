#include "core/base/vector_math.h"

#include <cmath>
#include <limits>

#include "tests/support/register.h"

using namespace moe;

/// The bounds stated in vector_math.h, over a dense walk through the arguments.
class VectorMathTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void expIsWithinTwoUlp() {
    double worst = 0;
    for (double x = -87.29; x < 88.37; x += 0.00037) {
      const auto argument = static_cast<float>(x);
      const double right = std::exp(static_cast<double>(argument));
      worst = std::max(worst, std::abs(vectorExp(argument) / right - 1));
    }
    QVERIFY2(worst <= 2.5e-7, qPrintable(QString::number(worst)));
  }
  void expOutsideItsRangeIsZeroOrLargeAndKeepsNaN() {
    QCOMPARE(vectorExp(-88.0f), 0.0f);
    QCOMPARE(vectorExp(-std::numeric_limits<float>::infinity()), 0.0f);
    QVERIFY(vectorExp(1000.0f) > 2.3e38f && std::isfinite(vectorExp(1000.0f)));
    QVERIFY(std::isnan(vectorExp(std::numeric_limits<float>::quiet_NaN())));
    QCOMPARE(vectorExp(0.0f), 1.0f);
  }
  void logIsWithinItsBound() {
    double worst = 0;
    for (double power = -126; power < 127; power += 0.00041) {
      const auto argument = static_cast<float>(std::exp2(power));
      const double right = std::log(static_cast<double>(argument));
      worst = std::max(worst, std::abs(vectorLog(argument) - right) / std::max(0.5, std::abs(right)));
    }
    QVERIFY2(worst <= 2e-7, qPrintable(QString::number(worst)));
    QCOMPARE(vectorLog(1.0f), 0.0f);
    QCOMPARE(0.0f * vectorLog(0.0f), 0.0f);
  }
  void theNormalDistributionIsWithinItsBound() {
    double worst = 0;
    for (double x = -40; x < 40; x += 0.00031) {
      const auto argument = static_cast<float>(x);
      const double right = 0.5 * std::erfc(-static_cast<double>(argument) / std::sqrt(2.0));
      const double density = std::exp(-0.5 * static_cast<double>(argument) * argument) / std::sqrt(2 * M_PI);
      const NormalProbability found = vectorNormal(argument);
      worst = std::max({worst, std::abs(found.cumulative - right), std::abs(found.density - density)});
    }
    QVERIFY2(worst <= 2e-7, qPrintable(QString::number(worst)));
  }
  void theNormalsTailKeepsItsRelativeAccuracy() {
    for (double x = 1; x < 5; x += 0.01) {
      const auto argument = static_cast<float>(-x);
      const double right = 0.5 * std::erfc(-static_cast<double>(argument) / std::sqrt(2.0));
      // The square of x loses 2^-24 of up to 12.5 before the exponential.
      QVERIFY(std::abs(vectorNormal(argument).cumulative / right - 1) < 2e-6);
    }
  }
};
SWITCHYARD_TEST(VectorMathTest)
#include "vector_math_test.moc"
