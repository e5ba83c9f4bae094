#include "core/backend/backend.h"
#include "core/backend/reference/reference_backend.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

class NormTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void rmsDividesByTheRootOfTheMeanSquare() {
    ReferenceBackend backend;
    const Tensor y = hostTensor({1, 4}, DType::f64), statistics = hostTensor({1, 2}, DType::f64);
    // The mean square is (1 + 1 + 49 + 49) / 4 = 25; epsilon 11 makes the root 6.
    backend.norm(y, statistics, numbers({1, 4}, {1, -1, 7, -7}), numbers({4}, {6, 12, 6, 6}), {}, NormKind::rms, 11);
    QVERIFY(distance(valuesOf(y), {1, -2, 7, -7}) < 1e-14);
    QVERIFY(distance(valuesOf(statistics), {0, 1.0 / 6}) < 1e-15);
  }
  void layerCentresFirst() {
    ReferenceBackend backend;
    const Tensor y = hostTensor({2, 2}, DType::f64), statistics = hostTensor({2, 2}, DType::f64);
    // Row 0: mean 5, variance 9, so 16 with epsilon 7; row 1 is constant.
    backend.norm(y, statistics, numbers({2, 2}, {2, 8, -3, -3}), numbers({2}, {4, 8}), numbers({2}, {10, 20}),
                 NormKind::layer, 7);
    QVERIFY(distance(valuesOf(y), {7, 26, 10, 20}) < 1e-14);
    QVERIFY(distance(valuesOf(statistics), {5, 0.25, -3, 1 / std::sqrt(7.0)}) < 1e-15);
  }
};
SWITCHYARD_TEST(NormTest)
#include "norm_test.moc"
