#include "tests/support/cuda_host.h"
#include "core/backend/reference/reference_backend.h"
#include "tests/support/op_rows.h"
#include "tests/support/ops/large.h"
#include "tests/support/ops/narrow.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

/// The CUDA backend's kernels on the host executor against the definition, operation by operation.
class CudaHostTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void everyOperationAgreesWithItsDefinition_data() { opRows(allOpsAndLargeOnes()); }
  void everyOperationAgreesWithItsDefinition() {
    QFETCH(std::size_t, index);
    const Op op = allOpsAndLargeOnes()[index];
    ReferenceBackend reference;
    const auto device = cudaHost();
    const Values start = drawn(op);
    const std::string problem =
        disagreement(evaluate(op, *device, DType::f32, start), evaluate(op, reference, DType::f64, start), op.bound);
    QVERIFY2(problem.empty(), problem.c_str());
  }
  void everyOperationInBf16AgreesWithItsDefinition_data() { opRows(narrowOpsAndAttention()); }
  void everyOperationInBf16AgreesWithItsDefinition() {
    QFETCH(std::size_t, index);
    const Op op = narrowOpsAndAttention()[index];
    ReferenceBackend reference;
    const auto device = cudaHost(DType::bf16);
    const Values start = drawn(op), expected = evaluate(op, reference, DType::f64, start),
                 found = evaluate(op, *device, DType::f32, start);
    for (const auto& [name, right] : expected) {
      const double error = relativeError(found.at(name), right);
      QVERIFY2(error <= kBf16Error, (name + " is off by " + std::to_string(error)).c_str());
    }
    const std::string problem = disagreement(found, expected, op.bound);
    QVERIFY2(problem.empty(), problem.c_str());
  }
  void aSecondRunGivesTheSameBits() {
    const auto device = cudaHost();
    for (const Op& op : {linearOps()[0], expertsOps()[0], attentionOps()[0]}) {
      const Values start = drawn(op);
      const Values first = evaluate(op, *device, DType::f32, start);
      QVERIFY2(evaluate(op, *device, DType::f32, start) == first, op.name.c_str());
    }
  }
};
SWITCHYARD_TEST(CudaHostTest)
#include "cuda_host_test.moc"
