#include "core/backend/reference/reference_backend.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

class AdamWTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void twoStepsByHand() {
    ReferenceBackend backend;
    const Tensor p = numbers({1}, {1}), m = numbers({1}, {0}), v = numbers({1}, {0});
    AdamWSettings settings{.learningRate = 0.1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0, .weightDecay = 0};
    // The first step is always one learning rate long, whatever the gradient.
    backend.adamw(p, m, v, numbers({1}, {2}), settings);
    QVERIFY(distance(valuesOf(m), {1}) < 1e-15 && distance(valuesOf(v), {1}) < 1e-15);
    QVERIFY(distance(valuesOf(p), {0.9}) < 1e-15);
    // m = 0.5 - 2 = -1.5 over 1 - 1/4; v = 0.75 + 4 = 4.75 over 1 - 9/16.
    settings.step = 2;
    backend.adamw(p, m, v, numbers({1}, {-4}), settings);
    QVERIFY(distance(valuesOf(m), {-1.5}) < 1e-15 && distance(valuesOf(v), {4.75}) < 1e-15);
    QVERIFY(distance(valuesOf(p), {0.9 + 0.1 * 2 / std::sqrt(4.75 / 0.4375)}) < 1e-15);
  }
  void decayIsDecoupledFromTheMoments() {
    ReferenceBackend backend;
    const Tensor p = numbers({2}, {3, -5}), m = numbers({2}, {0, 0}), v = numbers({2}, {0, 0});
    backend.adamw(p, m, v, numbers({2}, {0, 0}), {.learningRate = 0.1, .weightDecay = 0.5});
    QVERIFY(distance(valuesOf(p), {2.85, -4.75}) < 1e-15);
    QCOMPARE(valuesOf(m), (std::vector<double>{0, 0}));
    QCOMPARE(valuesOf(v), (std::vector<double>{0, 0}));
  }
  void epsilonStandsOutsideTheRoot() {
    ReferenceBackend backend;
    const Tensor p = numbers({1}, {0}), m = numbers({1}, {0}), v = numbers({1}, {0});
    backend.adamw(p, m, v, numbers({1}, {3}), {.learningRate = 1, .epsilon = 1});
    QVERIFY(distance(valuesOf(p), {-0.75}) < 1e-14);
  }
  void theGradientScaleMultipliesTheGradient() {
    ReferenceBackend backend;
    const Tensor p = numbers({1}, {1}), m = numbers({1}, {0}), v = numbers({1}, {0});
    backend.adamw(p, m, v, numbers({1}, {8}),
                  {.learningRate = 0.1, .beta1 = 0.5, .beta2 = 0.75, .gradientScale = 0.25});
    QVERIFY(distance(valuesOf(m), {1}) < 1e-15 && distance(valuesOf(v), {1}) < 1e-15);
  }
  void squaresAreSummedInDouble() {
    ReferenceBackend backend;
    const Tensor in = hostTensor({1001}, DType::f32), out = hostTensor({1}, DType::f64);
    backend.fill(in, 1);
    in.as<float>()[0] = 1e6F;  // its square swallows ones in f32
    backend.sumOfSquares(out, in);
    QCOMPARE(out.as<double>()[0], 1e12 + 1000);
  }
};
SWITCHYARD_TEST(AdamWTest)
#include "adamw_test.moc"
