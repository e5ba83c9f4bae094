#include "core/backend/backend.h"
#include "core/backend/reference/reference_backend.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

class CrossEntropyTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void lossAndGradientByHand() {
    ReferenceBackend backend;
    // Probabilities 1/4 and 3/4.
    const Tensor logits = numbers({2, 2}, {0, std::log(3.0), 0, std::log(3.0)}), losses = hostTensor({2}, DType::f64);
    const std::int32_t targets[] = {0, 1};
    backend.crossEntropy(losses, logits, targets, 2);
    QVERIFY(distance(valuesOf(losses), {std::log(4.0), std::log(4.0 / 3)}) < 1e-15);
    QVERIFY(distance(valuesOf(logits), {-1.5, 1.5, 0.5, -0.5}) < 1e-15);
  }
  void withoutAScaleTheLogitsKeepTheirValues() {
    ReferenceBackend backend;
    const std::vector<double> before{1, -2, 0.5, 3, 2, 1};
    const Tensor logits = numbers({2, 3}, before), losses = hostTensor({2}, DType::f64);
    const std::int32_t targets[] = {1, -1};
    backend.crossEntropy(losses, logits, targets, 0);
    QCOMPARE(valuesOf(logits), before);
    QVERIFY(losses.as<double>()[0] > 0);
  }
  void aMaskedTargetHasNeitherLossNorGradient() {
    ReferenceBackend backend;
    const Tensor logits = numbers({2, 2}, {1, 2, 3, 4}), losses = numbers({2}, {9, 9});
    const std::int32_t targets[] = {-1, -1};
    backend.crossEntropy(losses, logits, targets, 1);
    QCOMPARE(valuesOf(losses), (std::vector<double>{0, 0}));
    QCOMPARE(valuesOf(logits), (std::vector<double>{0, 0, 0, 0}));
  }
  void largeLogitsStayFinite() {
    ReferenceBackend backend;
    const Tensor logits = numbers({1, 2}, {1e4, -1e4}), losses = hostTensor({1}, DType::f64);
    const std::int32_t targets[] = {1};
    backend.crossEntropy(losses, logits, targets, 1);
    QCOMPARE(losses.as<double>()[0], 2e4);
    QCOMPARE(valuesOf(logits), (std::vector<double>{1, -1}));
  }
};
SWITCHYARD_TEST(CrossEntropyTest)
#include "cross_entropy_test.moc"
