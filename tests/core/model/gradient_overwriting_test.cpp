#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "core/backend/backend.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;

namespace {

using Edit = std::function<void(ModelConfig&)>;

Edit forRecipes(const std::function<void(Recipe&)>& edit) {
  return [edit](ModelConfig& config) {
    for (LayerConfig& layer : config.layers) edit(layer.recipe);
  };
}

/// A model with the numbers that its gradients hold before a pass.
struct Differentiated {
  std::unique_ptr<Backend> backend;
  Model model;
  Batch batch;

  Differentiated(const char* name, const ModelConfig& config)
      : backend(makeBackend({.name = name, .threads = 2, .computeType = DType::f32})),
        model(*backend, config, DType::f32, true),
        batch(test::tinyBatch(2, 5, config.vocabulary)) {
    model.initialise(3);
  }
  void fill(double value) {
    for (const Parameter& parameter : model.parameters().all()) backend->fill(parameter.gradient, value);
  }
  std::vector<float> pass(Gradients gradients) {
    PassSettings settings;
    settings.totalSteps = 20;
    settings.gradients = gradients;
    model.forwardBackward(batch, settings, 0.5);
    const auto all = model.parameters().gradientArena().span<float>();
    return {all.begin(), all.end()};
  }
};

}  // namespace

/// What stood in a gradient before a step must not reach the step.
class GradientOverwritingTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void aPoisonedGradientIsOverwrittenWhole_data() {
    QTest::addColumn<std::string>("backend");
    QTest::addColumn<Edit>("edit");
    const auto row = [](const std::string& name, const Edit& edit) {
      for (const char* backend : {"reference", "onednn"})
        QTest::newRow((name + ", " + backend).c_str()) << std::string(backend) << edit;
    };
    row("two layers of experts", [](ModelConfig&) {});
    row("biased experts most of which see no token", forRecipes([](Recipe& recipe) {
          recipe.experts.count = 24;
          recipe.experts.bias = true;
          recipe.select.k = 1;
        }));
    row("gated linear units", forRecipes([](Recipe& recipe) {
          recipe.experts.kind = ExpertKind::glu;
          recipe.experts.bias = true;
        }));
    row("interleaved experts", forRecipes([](Recipe& recipe) { recipe.experts.kind = ExpertKind::clampedGlu; }));
    row("linear experts", forRecipes([](Recipe& recipe) { recipe.experts.kind = ExpertKind::linear; }));
    row("gated shared experts and a dense residual", forRecipes([](Recipe& recipe) {
          recipe.combine.shared.emplace();
          recipe.combine.shared->count = 2;
          recipe.combine.shared->hidden = 5;
          recipe.combine.shared->tokenGate = true;
          recipe.combine.denseResidual.emplace();
          recipe.combine.denseResidual->hidden = 7;
        }));
    row("a router with learned noise", forRecipes([](Recipe& recipe) {
          recipe.logits.bias = true;
          recipe.perturb.noise = Recipe::Perturb::Noise::learned;
        }));
    row("experts that read the state before attention",
        forRecipes([](Recipe& recipe) { recipe.block.moeReads = Recipe::Block::MoeReads::preAttention; }));
    row("experts by a hash of the token", [](ModelConfig& config) { config = test::hashedConfig().model; });
    row("a dense layer", [](ModelConfig& config) { config.layers[0].hasExperts = false; });
    row("a tied head and learned positions", [](ModelConfig& config) {
      config.tiedHead = true;
      config.positions = Positions::learned;
    });
    for (const ExpertKind kind : {ExpertKind::linear, ExpertKind::mlp})
      row(kind == ExpertKind::linear ? "a mixture head of linear experts" : "a mixture head of networks",
          forRecipes([kind](Recipe& recipe) {
            recipe.experts.kind = kind;
            recipe.select.kind = Recipe::Select::Kind::all;
            recipe.weigh.kind = Recipe::Weigh::Kind::score;
            recipe.balance.clear();
            recipe.head = {.kind = Recipe::Head::Kind::mixture,
                           .losses = {{"likelihood", Recipe::Head::Form::likelihood, 1}}};
          }));
  }
  void aPoisonedGradientIsOverwrittenWhole() {
    QFETCH(std::string, backend);
    QFETCH(Edit, edit);
    ModelConfig config = test::tinyConfig().model;
    config.vocabulary = 11;
    edit(config);
    Differentiated run(backend.c_str(), config);
    run.fill(0);
    const std::vector<float> added = run.pass(Gradients::add);
    run.fill(std::numeric_limits<double>::quiet_NaN());
    const std::vector<float> written = run.pass(Gradients::overwrite), twice = run.pass(Gradients::add);
    float largest = 0;
    for (const float value : added) largest = std::max(largest, std::abs(value));
    QVERIFY(largest > 0);
    for (std::size_t i = 0; i < added.size(); ++i) {
      QVERIFY(std::abs(written[i] - added[i]) <= 1e-6f * largest);  // NaN is not
      QVERIFY(std::abs(twice[i] - 2 * added[i]) <= 2e-6f * largest);
    }
  }
  void withoutATargetOnlyTheBalanceTermsAreLeft() {
    ModelConfig config = test::tinyConfig().model;
    Differentiated run("onednn", config);
    std::ranges::fill(run.batch.targets, -1);
    run.fill(std::numeric_limits<double>::quiet_NaN());
    run.pass(Gradients::overwrite);
    for (const Parameter& parameter : run.model.parameters().all())
      for (const float value : parameter.gradient.span<float>()) QVERIFY2(std::isfinite(value), parameter.name.c_str());
    for (const float value : run.model.parameters().gradient("head.weight").span<float>()) QCOMPARE(value, 0.0f);
  }
};
SWITCHYARD_TEST(GradientOverwritingTest)
#include "gradient_overwriting_test.moc"
