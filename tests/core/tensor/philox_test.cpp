#include "core/tensor/philox.h"

#include <cmath>

#include "tests/support/register.h"

using namespace moe;

class PhiloxTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aTokensDrawsDoNotDependOnWhereTheBatchBegins() {
    const RandomKey key{.seed = 7, .stream = RandomStream::logitNoise, .step = 3, .layer = 2};
    const Tensor all = hostTensor({10, 5}, DType::f64), tail = hostTensor({4, 5}, DType::f64);
    fillNormal(all, key, 0, 1);
    fillNormal(tail, key, 0, 1, 6);
    for (int i = 0; i < 20; ++i) QCOMPARE(tail.as<double>()[i], all.as<double>()[30 + i]);
  }
  void streamsStepsLayersAndSeedsGiveDifferentDraws() {
    const RandomKey key{.seed = 7, .stream = RandomStream::logitNoise, .step = 3, .layer = 2};
    RandomKey other = key;
    other.seed = 8;
    QVERIFY(uniformAt(key, 0, 0) != uniformAt(other, 0, 0));
    other = key;
    other.stream = RandomStream::inputJitter;
    QVERIFY(uniformAt(key, 0, 0) != uniformAt(other, 0, 0));
    other = key;
    other.step = 4;
    QVERIFY(uniformAt(key, 0, 0) != uniformAt(other, 0, 0));
    other = key;
    other.layer = 1;
    QVERIFY(uniformAt(key, 0, 0) != uniformAt(other, 0, 0));
  }
  void normalDrawsHaveTheAskedMeanAndDeviation() {
    const Tensor draws = hostTensor({200, 500}, DType::f64);
    fillNormal(draws, {.seed = 1}, 2, 3);
    double sum = 0, squares = 0;
    for (double x : draws.span<double>()) sum += x, squares += x * x;
    const double n = 1e5, mean = sum / n;
    // Standard error of the mean is 3/sqrt(1e5) = 0.0095, of the deviation 0.0067: five of them.
    QVERIFY(std::abs(mean - 2) < 0.05);
    QVERIFY(std::abs(std::sqrt(squares / n - mean * mean) - 3) < 0.035);
  }
  void fillUniformAgreesWithUniformAt() {
    const RandomKey key{.seed = 3, .stream = RandomStream::forceToken};
    const Tensor draws = hostTensor({6, 3}, DType::f64);
    fillUniform(draws, key, 0, 1);
    for (std::uint32_t t = 0; t < 6; ++t)
      for (std::uint32_t i = 0; i < 3; ++i) QCOMPARE(draws.as<double>()[t * 3 + i], uniformAt(key, t, i));
  }
};
SWITCHYARD_TEST(PhiloxTest)
#include "philox_test.moc"
