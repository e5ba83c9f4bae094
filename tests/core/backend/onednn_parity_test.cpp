#include <omp.h>

#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/reference/reference_backend.h"
#include "tests/support/op_rows.h"
#include "tests/support/ops/large.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

/// The fast backend against the definition, operation by operation.
class OnednnParityTest : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void everyOperationAgreesWithItsDefinition_data() { opRows(allOpsAndLargeOnes()); }
  void everyOperationAgreesWithItsDefinition() {
    QFETCH(std::size_t, index);
    const Op op = allOpsAndLargeOnes()[index];
    ReferenceBackend reference;
    OnednnBackend fast(3);
    const Values start = drawn(op);
    const std::string problem =
        disagreement(evaluate(op, fast, DType::f32, start), evaluate(op, reference, DType::f64, start), op.bound);
    QVERIFY2(problem.empty(), problem.c_str());
  }
  void aSecondRunGivesTheSameBits_data() { opRows(allOpsAndLargeOnes()); }
  void aSecondRunGivesTheSameBits() {
    QFETCH(std::size_t, index);
    const Op op = allOpsAndLargeOnes()[index];
    OnednnBackend fast(3);
    const Values start = drawn(op), first = evaluate(op, fast, DType::f32, start);
    for (int run = 0; run < 3; ++run)
      for (const auto& [name, values] : evaluate(op, fast, DType::f32, start))
        QVERIFY2(values == first.at(name), name.c_str());
  }
  void workingMemoryStopsGrowing_data() { opRows(allOpsAndLargeOnes()); }
  void workingMemoryStopsGrowing() {
    QFETCH(std::size_t, index);
    const Op op = allOpsAndLargeOnes()[index];
    OnednnBackend fast(2);
    const Values start = drawn(op);
    evaluate(op, fast, DType::f32, start);
    const std::int64_t before = fast.scratchAllocations();
    evaluate(op, fast, DType::f32, start);
    QCOMPARE(fast.scratchAllocations(), before);
  }
  void theCallersThreadCountIsLeftAlone() {
    const int before = omp_get_max_threads();
    OnednnBackend fast(1);
    const Op op = linearOps()[0];
    evaluate(op, fast, DType::f32, drawn(op));
    QCOMPARE(omp_get_max_threads(), before);
  }
};
SWITCHYARD_TEST(OnednnParityTest)
#include "onednn_parity_test.moc"
