#include <algorithm>
#include <cmath>

#include "core/backend/cuda/cuda_backend.h"
#include "core/train/trainer.h"
#include "tests/support/cuda_host.h"
#include "tests/support/register.h"
#include "tests/support/tiny_trainer.h"

using namespace moe;

namespace {

RunConfig on(const char* backend, RunConfig config = test::tinyConfig()) {
  config.backend = backend;
  config.computeType = DType::f32;
  return config;
}

/// With all that the device routes: a selection bias, and every kind of balance term.
RunConfig balanced() {
  RunConfig config = test::tinyConfig();
  for (LayerConfig& layer : config.model.layers) {
    using Term = Recipe::BalanceTerm;
    layer.recipe.score = Recipe::Score::sigmoid;
    layer.recipe.adjust.selectionBias = Recipe::Adjust::SelectionBias{.rate = 0.01};
    layer.recipe.balance = {
        {.name = "aux", .coefficient = 0.05, .layers = Term::Layers::concatenated},
        {.name = "first", .coefficient = 0.02, .counts = Term::Counts::first, .layers = Term::Layers::mean},
        {.name = "z", .kind = Term::Kind::z, .coefficient = 0.01},
        {.name = "entropy", .kind = Term::Kind::entropy, .coefficient = 0.01},
    };
  }
  return config;
}

// Both sum in f32 in their own orders: 2^-24 a sum of a hundred products or so, about 1e-6 of a gradient. AdamW's first
// steps divide a gradient by itself, so that parameters near a zero gradient differ by more, 1e-3 of a step of 1e-3; the
// loss of 20 such steps stays within 1e-5 of itself.
constexpr double kLossBound = 1e-5;

void sameLosses(test::Run& found, test::Run& expected, int steps) {
  for (int i = 0; i < steps; ++i) {
    const StepPoint mine = found.trainer.step(), right = expected.trainer.step();
    const double apart = std::abs(mine.loss - right.loss) / right.loss;
    QVERIFY2(apart <= kLossBound,
             ("step " + std::to_string(i) + ": apart by " + std::to_string(apart / kLossBound) + " times the bound")
                 .c_str());
    QCOMPARE(mine.layers.size(), right.layers.size());
    for (std::size_t l = 0; l < mine.layers.size(); ++l) QCOMPARE(mine.layers[l].load, right.layers[l].load);
  }
}

/// The class's type information is the module's alone, where the sanitizer for dynamic types does not find it.
[[gnu::no_sanitize("vptr")]] std::int64_t graphsMade(const Backend& backend) {
  return static_cast<const cuda::CudaBackend&>(backend).graphsMade();
}

}  // namespace

/// A whole model on the CUDA backend's kernels, run by the host executor.
class CudaHostTrainingTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aTinyModelLearnsAsOnTheProcessor() {
    test::Run found(on("cuda-host")), expected(on("onednn"));
    sameLosses(found, expected, 20);
  }
  void aModelWithEveryBalanceTermLearnsAsOnTheProcessor() {
    test::Run found(on("cuda-host", balanced())), expected(on("onednn", balanced()));
    sameLosses(found, expected, 20);
  }
  void aRunGoesOnOnAnotherBackend() {
    test::Run there(on("onednn")), here(on("cuda-host"));
    for (int i = 0; i < 5; ++i) there.trainer.step();
    here.trainer.restore(there.trainer.state());
    sameLosses(here, there, 5);
    test::Run back(on("onednn"));
    back.trainer.restore(here.trainer.state());
    sameLosses(back, here, 5);
  }
  void equalSeedsGiveEqualBits() {
    test::Run one(on("cuda-host", balanced())), other(on("cuda-host", balanced()));
    for (int i = 0; i < 4; ++i) QCOMPARE(one.trainer.step().loss, other.trainer.step().loss);
    const TrainingState mine = one.trainer.state(), right = other.trainer.state();
    for (std::size_t i = 0; i < mine.parameters.size(); ++i)
      QVERIFY2(std::ranges::equal(mine.parameters[i].tensor.span<float>(), right.parameters[i].tensor.span<float>()),
               mine.parameters[i].name.c_str());
  }
  void aStepThatRepeatsAndAKnobNeedNoNewGraph() {
    RunConfig config = on("cuda-host", balanced());
    config.train.steps = 100;
    test::Run run(config);
    // Every tenth step also measures the balancer's pull: that list of commands has been seen twice by then, too.
    for (int i = 0; i < 22; ++i) run.trainer.step();
    const std::int64_t made = graphsMade(*run.backend);
    QVERIFY(made > 0);
    for (int i = 0; i < 3; ++i) run.trainer.step();
    run.trainer.set("train.learning_rate", "0.01");
    run.trainer.set("balance.0.coefficient", "0.5");
    run.trainer.set("adjust.selection_bias.rate", "0.5");
    for (int i = 0; i < 10; ++i) run.trainer.step();
    QCOMPARE(graphsMade(*run.backend), made);
  }
};
SWITCHYARD_TEST(CudaHostTrainingTest)
#include "cuda_host_training_test.moc"
