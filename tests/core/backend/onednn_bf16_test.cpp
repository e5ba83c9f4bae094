#include <cmath>

#include "core/backend/backend.h"
#include "core/backend/onednn/onednn_backend.h"
#include "core/backend/reference/reference_backend.h"
#include "core/base/error.h"
#include "core/train/bench_config.h"
#include "core/train/trainer.h"
#include "tests/support/op_rows.h"
#include "tests/support/ops/narrow.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;
using namespace moe::test;

namespace {

RunConfig smallRun(bool dense) {
  RunConfig run = benchConfig("tiny", dense);
  run.model.layers.resize(2);
  run.train.batch = 3;
  return run;
}

std::vector<std::vector<float>> gradientsOf(Backend& backend, const ModelConfig& config) {
  Model model(backend, config, DType::f32, true);
  model.initialise(7);
  model.forwardBackward(tinyBatch(3, config.context, config.vocabulary), {}, 1);
  backend.synchronize();
  std::vector<std::vector<float>> gradients;
  for (const Parameter& parameter : model.parameters().all()) {
    const auto values = parameter.gradient.span<float>();
    gradients.emplace_back(values.begin(), values.end());
  }
  return gradients;
}

std::vector<float> parametersAfter(Backend& backend, const RunConfig& run, int steps) {
  Trainer trainer(backend, run, randomCorpus(run.model.vocabulary, 20'000, 1));
  for (int i = 0; i < steps; ++i) trainer.step();
  std::vector<float> all;
  for (const Parameter& parameter : trainer.model().parameters().all()) {
    const auto values = parameter.value.span<float>();
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

}  // namespace

/// Matrix products in bf16 with f32 sums, where the processor has them.
class OnednnBf16Test : public QObject {
  Q_OBJECT

 private Q_SLOTS:
  void initTestCase() {
    if (hasBf16Products()) return;
    std::string sentence;
    try {
      makeBackend({.name = "onednn", .threads = 1, .computeType = DType::bf16});
    } catch (const Error& error) { sentence = error.what(); }
    QVERIFY2(sentence.find("AVX512-BF16 or AMX") != std::string::npos && sentence.ends_with("choose f32"),
             sentence.c_str());
    QSKIP("this processor, or what oneDNN may use of it, has no bf16 products: refused as it should be");
  }
  void everyOperationAgreesWithItsDefinition_data() { opRows(narrowOps()); }
  void everyOperationAgreesWithItsDefinition() {
    QFETCH(std::size_t, index);
    const Op op = narrowOps()[index];
    ReferenceBackend reference;
    OnednnBackend fast(3, DType::bf16);
    const Values start = drawn(op), expected = evaluate(op, reference, DType::f64, start),
                 found = evaluate(op, fast, DType::f32, start);
    QVERIFY2(fast.primitivesMade() > 0, "nothing was computed in bf16");
    for (const auto& [name, right] : expected) {
      const double error = relativeError(found.at(name), right);
      QVERIFY2(error <= kBf16Error, (name + " is off by " + std::to_string(error)).c_str());
    }
    const std::string problem = disagreement(found, expected, op.bound);
    QVERIFY2(problem.empty(), problem.c_str());
  }
  void aSecondRunGivesTheSameBitsAndMakesNothing_data() { opRows(narrowOps()); }
  void aSecondRunGivesTheSameBitsAndMakesNothing() {
    QFETCH(std::size_t, index);
    const Op op = narrowOps()[index];
    OnednnBackend fast(3, DType::bf16);
    const Values start = drawn(op), first = evaluate(op, fast, DType::f32, start);
    const std::int64_t made = fast.primitivesMade();
    for (int run = 0; run < 3; ++run)
      for (const auto& [name, values] : evaluate(op, fast, DType::f32, start))
        QVERIFY2(values == first.at(name), name.c_str());
    QCOMPARE(fast.primitivesMade(), made);
  }
  void fewTokensAndNarrowMatricesStayExact() {
    OnednnBackend fast(2, DType::bf16), single(2);
    for (const Op& op : {linearOps()[0], expertsOps()[0]}) {
      const Values start = drawn(op);
      QVERIFY(evaluate(op, fast, DType::f32, start) == evaluate(op, single, DType::f32, start));
    }
    QCOMPARE(fast.primitivesMade(), std::int64_t{0});
  }
  void aChangedWeightIsSeen() {
    OnednnBackend backend(2, DType::bf16);
    const Tensor x = backend.allocate({32, 64}, DType::f32), y = backend.allocate({32, 64}, DType::f32);
    Tensor weight = backend.allocate({64, 64}, DType::f32);
    const Tensor m = backend.allocate({64, 64}, DType::f32), v = backend.allocate({64, 64}, DType::f32),
                 gradient = backend.allocate({64, 64}, DType::f32);
    backend.fill(x, 1);
    const auto product = [&] {
      backend.linear(y, x, weight, {}, false);
      return y.as<float>()[77];
    };
    QCOMPARE(product(), 0.0F);
    backend.fill(weight, 0.5);
    QCOMPARE(product(), 32.0F);
    backend.add(weight, weight);
    QCOMPARE(product(), 64.0F);
    for (float& each : weight.span<float>()) each = 2;
    backend.parametersChanged(weight);
    QCOMPARE(product(), 128.0F);
    backend.fill(gradient, 1);
    const AdamWPart part{weight, m, v, gradient};
    backend.adamw({&part, 1}, {.learningRate = 1}, {});
    QCOMPARE(weight.as<float>()[0], 1.0F);
    QCOMPARE(product(), 64.0F);
    backend.fill(gradient, 3);
    backend.copy(weight, gradient);
    QCOMPARE(product(), 192.0F);
    // The next tensor may lie where the last one did.
    weight = Tensor();
    weight = backend.allocate({64, 64}, DType::f32);
    QCOMPARE(product(), 0.0F);
  }
  void gradientsOfWholeModelsAreNearThoseOfF32_data() {
    QTest::addColumn<bool>("dense");
    QTest::newRow("dense") << true;
    QTest::newRow("a mixture of all experts") << false;
  }
  void gradientsOfWholeModelsAreNearThoseOfF32() {
    QFETCH(bool, dense);
    // Every expert takes every token: where tokens choose, a near tie may go the other way, which is no rounding error.
    RunConfig run = smallRun(dense);
    for (LayerConfig& layer : run.model.layers) layer.recipe.select.kind = Recipe::Select::Kind::all;
    OnednnBackend single(2), narrow(2, DType::bf16);
    const auto expected = gradientsOf(single, run.model), found = gradientsOf(narrow, run.model);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const double error = relativeError(found[i], expected[i]);
      QVERIFY2(error <= kBf16Error, ("parameter " + std::to_string(i) + " is off by " + std::to_string(error)).c_str());
    }
  }
  void nearlyAllTokensChooseTheExpertsTheyWouldInF32() {
    const ModelConfig config = smallRun(false).model;
    const Batch batch = tinyBatch(3, config.context, config.vocabulary);
    OnednnBackend single(2), narrow(2, DType::bf16);
    std::vector<std::vector<std::int32_t>> chosen;
    for (OnednnBackend* backend : {&single, &narrow}) {
      Model model(*backend, config, DType::f32, false);
      model.initialise(7);
      model.forward(batch, {});
      std::vector<std::int32_t>& all = chosen.emplace_back();
      for (const Routing* routing : model.routing())
        for (std::int32_t e = 0; e < routing->dispatch.experts; ++e)
          for (std::int64_t t = 0; t < routing->dispatch.tokens; ++t) {
            const auto begin = routing->dispatch.token.begin();
            const auto at = static_cast<std::size_t>(e);
            all.push_back(std::count(begin + routing->dispatch.expertBegin[at],
                                     begin + routing->dispatch.expertBegin[at + 1], t) > 0);
          }
    }
    std::size_t different = 0;
    for (std::size_t i = 0; i < chosen[0].size(); ++i) different += chosen[0][i] != chosen[1][i];
    // Two choices a token: a twentieth of them at most.
    QVERIFY2(different <= 2 * 2 * 2 * static_cast<std::size_t>(batch.tokens()) / 20, std::to_string(different).c_str());
  }
  void theSameSeedAndThreadsGiveTheSameBits() {
    const RunConfig run = smallRun(false);
    OnednnBackend first(3, DType::bf16), second(3, DType::bf16);
    QCOMPARE(parametersAfter(first, run, 5), parametersAfter(second, run, 5));
  }
  void nothingIsMadeOrAllocatedAfterTheFirstSteps() {
    OnednnBackend backend(2, DType::bf16);
    const RunConfig run = smallRun(false);
    Trainer trainer(backend, run, randomCorpus(run.model.vocabulary, 20'000, 1));
    for (int i = 0; i < 3; ++i) trainer.step();
    const std::int64_t made = backend.primitivesMade(), allocated = backend.scratchAllocations();
    QVERIFY(made > 0);
    for (int i = 0; i < 10; ++i) trainer.step();
    QCOMPARE(backend.primitivesMade(), made);
    QCOMPARE(backend.scratchAllocations(), allocated);
  }
};
SWITCHYARD_TEST(OnednnBf16Test)
#include "onednn_bf16_test.moc"
