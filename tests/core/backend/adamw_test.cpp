#include <array>
#include <limits>

#include "core/backend/backend.h"
#include "core/backend/reference/reference_backend.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

class AdamWTest : public QObject {
  Q_OBJECT
  static void adamw(const Tensor& p, const Tensor& m, const Tensor& v, const Tensor& gradient,
                    const AdamWSettings& settings, double weightDecay = 0, const TensorView& update = {}) {
    const AdamWPart part{p, m, v, gradient, weightDecay};
    ReferenceBackend().adamw({&part, 1}, settings, update);
  }
 private Q_SLOTS:
  void twoStepsByHand() {
    const Tensor p = numbers({1}, {1}), m = numbers({1}, {0}), v = numbers({1}, {0});
    AdamWSettings settings{.learningRate = 0.1, .beta1 = 0.5, .beta2 = 0.75, .epsilon = 0};
    // The first step is always one learning rate long, whatever the gradient.
    adamw(p, m, v, numbers({1}, {2}), settings);
    QVERIFY(distance(valuesOf(m), {1}) < 1e-15 && distance(valuesOf(v), {1}) < 1e-15);
    QVERIFY(distance(valuesOf(p), {0.9}) < 1e-15);
    // m = 0.5 - 2 = -1.5 over 1 - 1/4; v = 0.75 + 4 = 4.75 over 1 - 9/16.
    settings.step = 2;
    adamw(p, m, v, numbers({1}, {-4}), settings);
    QVERIFY(distance(valuesOf(m), {-1.5}) < 1e-15 && distance(valuesOf(v), {4.75}) < 1e-15);
    QVERIFY(distance(valuesOf(p), {0.9 + 0.1 * 2 / std::sqrt(4.75 / 0.4375)}) < 1e-15);
  }
  void decayIsDecoupledFromTheMoments() {
    const Tensor p = numbers({2}, {3, -5}), m = numbers({2}, {0, 0}), v = numbers({2}, {0, 0});
    adamw(p, m, v, numbers({2}, {0, 0}), {.learningRate = 0.1}, 0.5);
    QVERIFY(distance(valuesOf(p), {2.85, -4.75}) < 1e-15);
    QCOMPARE(valuesOf(m), (std::vector<double>{0, 0}));
    QCOMPARE(valuesOf(v), (std::vector<double>{0, 0}));
  }
  void epsilonStandsOutsideTheRoot() {
    const Tensor p = numbers({1}, {0}), m = numbers({1}, {0}), v = numbers({1}, {0});
    adamw(p, m, v, numbers({1}, {3}), {.learningRate = 1, .epsilon = 1});
    QVERIFY(distance(valuesOf(p), {-0.75}) < 1e-14);
  }
  void theGradientScaleMultipliesTheGradient() {
    const Tensor p = numbers({1}, {1}), m = numbers({1}, {0}), v = numbers({1}, {0});
    adamw(p, m, v, numbers({1}, {8}), {.learningRate = 0.1, .beta1 = 0.5, .beta2 = 0.75}, 0, numbers({2}, {0, 0.25}));
    QVERIFY(distance(valuesOf(m), {1}) < 1e-15 && distance(valuesOf(v), {1}) < 1e-15);
  }
  void gradientsLongerThanTheClipAreScaledToIt() {
    ReferenceBackend backend;
    const Tensor update = hostTensor({2}, DType::f64), squares = numbers({2}, {9, 16}), loss = numbers({1}, {1});
    backend.scaleGradients(update, squares, loss, 2);
    QCOMPARE(valuesOf(update), (std::vector<double>{5, 0.4}));
    for (const double clip : {0.0, 5.0, 6.0}) {
      backend.scaleGradients(update, squares, loss, clip);
      QCOMPARE(valuesOf(update), (std::vector<double>{5, 1}));
    }
  }
  void nothingMovesWhereTheLossOrANormIsNotFinite() {
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
    ReferenceBackend backend;
    const Tensor update = hostTensor({2}, DType::f64), p = numbers({1}, {1}), m = numbers({1}, {2});
    const Tensor v = numbers({1}, {3});
    for (const auto& [square, loss] : {std::pair(1.0, kNaN), {1.0, kInfinity}, {kNaN, 1.0}, {kInfinity, 1.0}}) {
      backend.scaleGradients(update, numbers({2}, {1, square}), numbers({1}, {loss}), 1);
      QCOMPARE(valuesOf(update)[1], 0.0);
      adamw(p, m, v, numbers({1}, {kNaN}), {.learningRate = 0.1}, 0.5, update);
      QCOMPARE(valuesOf(p)[0], 1.0);
      QCOMPARE(valuesOf(m)[0], 2.0);
      QCOMPARE(valuesOf(v)[0], 3.0);
    }
  }
  void squaresAreSummedInDouble() {
    ReferenceBackend backend;
    const Tensor in = hostTensor({1001}, DType::f32), out = hostTensor({2}, DType::f64);
    backend.fill(in, 1);
    in.as<float>()[0] = 1e6F;  // its square swallows ones in f32
    backend.sumOfSquares(out, std::array{in.view(), in.view().rows(1, 4)});
    QCOMPARE(valuesOf(out), (std::vector<double>{1e12 + 1000, 3}));
  }
};
SWITCHYARD_TEST(AdamWTest)
#include "adamw_test.moc"
