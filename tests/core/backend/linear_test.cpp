#include "core/backend/backend.h"
#include "core/backend/reference/reference_backend.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

class LinearTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void rowsOfTheWeightAreOutputs() {
    ReferenceBackend backend;
    const Tensor y = numbers({2, 2}, {99, 99, 99, 99}), x = numbers({2, 3}, {1, 2, 3, 4, 5, 6});
    const Tensor weight = numbers({2, 3}, {1, 0, -1, 2, 1, 0}), bias = numbers({2}, {10, 20});
    backend.linear(y, x, weight, bias, false);
    QCOMPARE(valuesOf(y), (std::vector<double>{8, 24, 8, 33}));
    backend.linear(y, x, weight, {}, true);
    QCOMPARE(valuesOf(y), (std::vector<double>{6, 28, 6, 46}));
  }
  void anEmbeddingAddsTokenAndPosition() {
    ReferenceBackend backend;
    const Tensor x = hostTensor({2, 2}, DType::f64), tokens = numbers({3, 2}, {1, 2, 3, 4, 5, 6});
    const std::int32_t ids[] = {2, 0}, positions[] = {0, 1};
    backend.embedding(x, tokens, numbers({2, 2}, {10, 20, 30, 40}), ids, positions);
    QCOMPARE(valuesOf(x), (std::vector<double>{15, 26, 31, 42}));
    backend.embedding(x, tokens, {}, ids, {});
    QCOMPARE(valuesOf(x), (std::vector<double>{5, 6, 1, 2}));
  }
};
SWITCHYARD_TEST(LinearTest)
#include "linear_test.moc"
