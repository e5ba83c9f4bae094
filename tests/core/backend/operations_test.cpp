#include "core/backend/reference/reference_backend.h"
#include "tests/support/op_rows.h"
#include "tests/support/ops/all.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

namespace {

Op fetched() {
  QFETCH(std::size_t, index);
  return allOps()[index];
}

}  // namespace

/// The definition of every operation, held against mathematics.
class OperationsTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void gradientsAgreeWithCentralDifferences_data() {
    opRows(allOps(), [](const Op& op) { return op.backward && op.checkGradient; });
  }
  void gradientsAgreeWithCentralDifferences() {
    ReferenceBackend backend;
    const std::string problem = gradientProblem(fetched(), backend);
    QVERIFY2(problem.empty(), problem.c_str());
  }
  void singlePrecisionAgreesWithDouble_data() {
    opRows(allOps(), [](const Op&) { return true; });
  }
  void singlePrecisionAgreesWithDouble() {
    ReferenceBackend backend;
    const Op op = fetched();
    const Values start = drawn(op);
    const std::string problem =
        disagreement(evaluate(op, backend, DType::f32, start), evaluate(op, backend, DType::f64, start), op.bound);
    QVERIFY2(problem.empty(), problem.c_str());
  }
  void aWrongGradientIsFound() {
    ReferenceBackend backend;
    Op op = linearOps()[0];
    op.backward = [right = op.backward](Backend& b, const Views& v) {
      right(b, v);
      v["dweight"].as<double>()[1] *= 1 + 1e-4;
    };
    QVERIFY(gradientProblem(op, backend).starts_with("dweight"));
  }
  void anOutputThatIsReadIsFound() {
    ReferenceBackend backend;
    Op op = linearOps()[0];
    op.forward = [](Backend& b, const Views& v) { b.linear(v["y"], v["x"], v["weight"], v["bias"], true); };
    const Values found = evaluate(op, backend, DType::f64, drawn(op)),
                 right = evaluate(linearOps()[0], backend, DType::f64, drawn(op));
    QVERIFY(disagreement(found, right, 1).starts_with("y[0]"));
  }
};
SWITCHYARD_TEST(OperationsTest)
#include "operations_test.moc"
