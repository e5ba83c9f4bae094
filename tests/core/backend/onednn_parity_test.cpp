#include <omp.h>

#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/reference/reference_backend.h"
#include "tests/support/op_rows.h"
#include "tests/support/ops/all.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

namespace {

/// Shapes that take more than one task, block or tile, beside those of the definition's own tests.
std::vector<Op> allOpsAndLargeOnes() {
  std::vector<Op> ops = allOps();
  const auto add = [&](Op op, const std::string& reason) {
    op.bound = 1.5e-5;
    op.reason = reason;
    ops.push_back(std::move(op));
  };
  const std::string sums = "f32 sums of up to 700 products, some at the worst case of 200 roundings of 2^-24";
  using enum ExpertKind;
  add(expertsOp({.name = "experts of different sizes in several runs each",
                 .kind = glu,
                 .tokens = 700,
                 .width = 24,
                 .outputs = 40,
                 .hidden = {48, 96, 33, 8},
                 .perToken = 3,
                 .bias = true,
                 .drops = true}),
      sums);
  add(expertsOp({.name = "interleaved experts in several runs each",
                 .kind = clampedGlu,
                 .tokens = 600,
                 .width = 24,
                 .outputs = 24,
                 .hidden = {40, 72, 8},
                 .bias = true,
                 .weightOnInput = true,
                 .dropout = true}),
      sums);
  add(expertsOp({.name = "two shared experts in several runs each",
                 .kind = mlp,
                 .activation = Activation::gelu,
                 .tokens = 530,
                 .width = 32,
                 .outputs = 32,
                 .hidden = {300, 70},
                 .bias = true,
                 .everyToken = true,
                 .accumulate = true}),
      sums);
  add(expertsOp({.name = "one expert owns every token",
                 .kind = mlp,
                 .activation = Activation::gelu,
                 .tokens = 530,
                 .width = 32,
                 .outputs = 32,
                 .hidden = {150},
                 .perToken = 1,
                 .bias = true}),
      sums);
  // One generated token, with enough weights to wake the team.
  for (const ExpertKind kind : {linear, mlp, glu, clampedGlu}) {
    ExpertsCase c{.name = "a generated token's experts, kind " + std::to_string(static_cast<int>(kind)),
                  .kind = kind,
                  .tokens = 1,
                  .width = 150,
                  .outputs = 230,
                  .hidden = {300, 220, 310, 8},
                  .perToken = 3,
                  .bias = true,
                  .generated = true};
    add(expertsOp(c), sums);
    c.name += ", onto y";
    c.weightOnInput = c.accumulate = true;
    add(expertsOp(c), sums);
    c.name += ", none";
    c.perToken = 0;
    c.accumulate = false;
    add(expertsOp(c), sums);
  }
  return ops;
}

}  // namespace

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
