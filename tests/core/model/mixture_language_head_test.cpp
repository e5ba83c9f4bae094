#include "core/model/mixture_language_head.h"

#include <algorithm>
#include <cmath>

#include "core/backend/backend.h"
#include "core/model/mixture_head.h"
#include "core/model/model.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;
using Form = Recipe::Head::Form;

namespace {

constexpr std::int64_t kExperts = 4, kWidth = 8;

ModelConfig mixtureConfig(ExpertKind kind, std::vector<Recipe::Head::Loss> losses, int vocabulary = 11) {
  ModelConfig config = test::tinyConfig().model;
  config.vocabulary = vocabulary;
  config.initDeviation = 0.5;
  for (LayerConfig& layer : config.layers) {
    layer.hasExperts = false;
    Recipe& recipe = layer.recipe;
    recipe.experts.kind = kind;
    recipe.experts.bias = true;
    recipe.select.kind = Recipe::Select::Kind::all;
    recipe.weigh.kind = Recipe::Weigh::Kind::score;
    recipe.balance.clear();
    recipe.head = {.kind = Recipe::Head::Kind::mixture, .losses = std::move(losses)};
    losses = recipe.head.losses;
  }
  return config;
}

/// Head segments alone, drawn, with the head that uses them.
struct Fixture {
  std::unique_ptr<Backend> backend;
  ModelConfig config;
  Recipe recipe;
  DType dtype;
  Parameters parameters;
  MixtureLanguageHead head;
  Activations memory;
  Tensor x, dx, losses, logits;  // (T, D), (T, D), (T), (T, V)
  std::vector<std::int32_t> targets;

  Fixture(const char* name, DType type, const ModelConfig& model, std::int64_t tokens)
      : backend(makeBackend({.name = name, .threads = 2, .computeType = type})),
        config(model),
        recipe(*headRecipe(model)),
        dtype(type),
        parameters(*backend, modelSegments(model), type, true),
        head(*backend, model, parameters),
        memory(*backend),
        x(backend->allocate({tokens, kWidth}, type)),
        dx(backend->allocate({tokens, kWidth}, type)),
        losses(backend->allocate({tokens}, type)),
        logits(backend->allocate({tokens, model.vocabulary}, type)) {
    std::uint32_t index = 0;
    for (const Parameter& parameter : parameters.all()) {
      draw(parameter.value, 0.5, ++index);
      backend->parametersChanged(parameter.value);
    }
    draw(x, 1, 99);
    for (std::int64_t t = 0; t < tokens; ++t)
      targets.push_back(t % 5 == 2 ? -1 : static_cast<std::int32_t>((3 * t + 1) % model.vocabulary));
    head.route(x, {});
  }
  void draw(const TensorView& out, double deviation, std::uint32_t seed) {
    const Tensor drawn = hostTensor({out.elements(), 1}, DType::f32);  // the same in both types
    fillNormal(drawn, {.seed = seed}, 0, deviation);
    backend->copy(out, drawn.view().reshaped(out.shape));
  }
  double counted() const {
    return static_cast<double>(std::ranges::count_if(targets, [](auto id) { return id >= 0; }));
  }
};

/// What the definition makes of the same weights and tokens, in f64.
struct Definition {
  MixtureHead head;
  MoeWeights weights, gradients;
  Tensor dx;
  double loss = 0, objective = 0;  // sums over the targets: the prediction's nats, the weighted losses
  Definition(Fixture& of, double scale)
      : head(*of.backend, of.recipe, kWidth), dx(hostTensor({of.x.shape()}, DType::f64)) {
    weights = bind(of, false);
    gradients = bind(of, true);
    head.forward(of.x, {}, weights);
    const MixtureTarget target{.values = {}, .ids = of.targets};
    const std::vector<double> values = head.losses(target);
    std::vector<double> coefficients;
    bool cooperative = true;
    for (const Recipe::Head::Loss& trained : of.recipe.head.losses)
      cooperative &= trained.coefficient == 0 || trained.form == Form::cooperative;
    for (std::size_t i = 0; i < values.size(); ++i) {
      objective += of.recipe.head.losses[i].coefficient * values[i] * of.counted();
      if (of.recipe.head.losses[i].form == (cooperative ? Form::cooperative : Form::likelihood))
        loss = values[i] * of.counted();
      coefficients.push_back(of.recipe.head.losses[i].coefficient * scale * of.counted());
    }
    head.backward(gradients, dx, target, coefficients, of.x, {}, weights);
  }
  static MoeWeights bind(Fixture& of, bool gradient) {
    return bindMoeWeights(of.recipe, kWidth, [&](std::string_view name) {
      const std::string full = kHeadPrefix + std::string(name);
      return gradient ? of.parameters.gradient(full) : of.parameters.value(full);
    });
  }
};

std::vector<double> numbers(const TensorView& view) {
  std::vector<double> out(static_cast<std::size_t>(view.elements()));
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = view.dtype == DType::f64 ? view.as<double>()[i] : static_cast<double>(view.as<float>()[i]);
  return out;
}

/// Largest difference as a share of the largest entry.
double apart(const std::vector<double>& a, const std::vector<double>& b) {
  double worst = 0, scale = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    worst = std::max(worst, std::abs(a[i] - b[i]));
    scale = std::max(scale, std::abs(b[i]));
  }
  return scale > 0 ? worst / scale : worst;
}

/// The head's gradients by name and that of x, and the sum of the losses.
struct Result {
  std::vector<std::pair<std::string, std::vector<double>>> all;
  double loss = 0, objective = 0;
};

Result trained(Fixture& fixture, double scale) {
  fixture.head.train(fixture.losses, fixture.dx, fixture.targets, scale, fixture.memory);
  fixture.head.backwardRouter(fixture.dx);
  fixture.backend->synchronize();
  Result result;
  for (const Parameter& parameter : fixture.parameters.all())
    if (parameter.name.starts_with(kHeadPrefix)) result.all.emplace_back(parameter.name, numbers(parameter.gradient));
  result.all.emplace_back("x", numbers(fixture.dx));
  for (double loss : numbers(fixture.losses)) result.loss += loss;
  result.objective = fixture.head.objective();
  return result;
}

Result defined(const ModelConfig& config, std::int64_t tokens, double scale) {
  Fixture fixture("reference", DType::f64, config, tokens);
  const Definition definition(fixture, scale);
  Result result;
  for (const Parameter& parameter : fixture.parameters.all())
    if (parameter.name.starts_with(kHeadPrefix)) result.all.emplace_back(parameter.name, numbers(parameter.gradient));
  result.all.emplace_back("x", numbers(definition.dx));
  result.loss = definition.loss;
  result.objective = definition.objective;
  return result;
}

void compare(const Result& found, const Result& wanted, double bound) {
  QVERIFY2(std::abs(found.loss - wanted.loss) <= bound * std::abs(wanted.loss),
           std::to_string(found.loss - wanted.loss).c_str());
  QVERIFY(std::abs(found.objective - wanted.objective) <= bound * std::abs(wanted.objective));
  QCOMPARE(found.all.size(), wanted.all.size());
  for (std::size_t i = 0; i < found.all.size(); ++i) {
    const double error = apart(found.all[i].second, wanted.all[i].second);
    QVERIFY2(error <= bound, (found.all[i].first + ": " + std::to_string(error)).c_str());
  }
}

}  // namespace

class MixtureLanguageHeadTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void itComputesWhatTheDefinitionSays_data() {
    QTest::addColumn<int>("kind");
    QTest::addColumn<QList<double>>("coefficients");
    for (const auto& [name, kind] : {std::pair{"linear", ExpertKind::linear}, std::pair{"glu", ExpertKind::glu}}) {
      QTest::addRow("likelihood, %s", name) << static_cast<int>(kind) << QList<double>{1, 0, 0};
      QTest::addRow("likelihood twice, %s", name) << static_cast<int>(kind) << QList<double>{2, 0, 0};
      QTest::addRow("competitive, %s", name) << static_cast<int>(kind) << QList<double>{0, 1, 0};
      QTest::addRow("cooperative, %s", name) << static_cast<int>(kind) << QList<double>{0, 0, 1};
      QTest::addRow("all three, %s", name) << static_cast<int>(kind) << QList<double>{0.5, 0.3, 0.9};
    }
  }
  void itComputesWhatTheDefinitionSays() {
    QFETCH(int, kind);
    QFETCH(QList<double>, coefficients);
    const ModelConfig config =
        mixtureConfig(static_cast<ExpertKind>(kind), {{"l", Form::likelihood, coefficients[0]},
                                                      {"p", Form::competitive, coefficients[1]},
                                                      {"o", Form::cooperative, coefficients[2]}});
    const Result wanted = defined(config, 13, 0.25);
    Fixture exact("reference", DType::f64, config, 13);
    compare(trained(exact, 0.25), wanted, 1e-12);
    // f32 sums of at most a few hundred terms, and differences of probabilities near 1.
    Fixture fast("onednn", DType::f32, config, 13);
    compare(trained(fast, 0.25), wanted, 1e-5);
  }
  void aCoefficientWeighsTheObjectiveAndNotTheLossReported() {
    const auto of = [](double coefficient) {
      Fixture fixture("reference", DType::f64,
                      mixtureConfig(ExpertKind::linear, {{"l", Form::likelihood, coefficient}}), 13);
      return trained(fixture, 1);
    };
    const Result once = of(1), twice = of(2);
    QVERIFY(std::abs(twice.loss - once.loss) < 1e-12);
    QVERIFY(std::abs(twice.objective - 2 * once.objective) < 1e-12);
    for (std::size_t i = 0; i < once.all.size(); ++i)
      for (std::size_t j = 0; j < once.all[i].second.size(); ++j)
        QVERIFY(std::abs(twice.all[i].second[j] - 2 * once.all[i].second[j]) < 1e-12);
  }
  void manyChunksGiveWhatOneWould() {
    // 4 experts and 40,000 tokens of vocabulary: chunks of 16 tokens.
    const ModelConfig config = mixtureConfig(ExpertKind::linear, {{"l", Form::likelihood, 1}}, 40'000);
    Fixture fast("onednn", DType::f32, config, 35);
    compare(trained(fast, 1), defined(config, 35, 1), 1e-5);
  }
  void thePredictionIsTheMixtureOfTheSoftmaxes() {
    const ModelConfig config = mixtureConfig(ExpertKind::linear, {{"l", Form::likelihood, 1}});
    Fixture fixture("onednn", DType::f32, config, 13);
    fixture.head.predict(fixture.losses, fixture.logits, fixture.targets, fixture.memory);
    Fixture exact("reference", DType::f64, config, 13);
    Definition definition(exact, 0);
    double worst = 0;
    for (std::int64_t t = 0; t < 13; ++t) {
      std::vector<double> predicted(11, 0.0);
      double sum = 0;
      for (std::int64_t e = 0; e < kExperts; ++e) {
        const auto outputs = definition.head.outputs().subspan(static_cast<std::size_t>((e * 13 + t) * 11), 11);
        double total = 0;
        for (double o : outputs) total += std::exp(o);
        for (std::size_t v = 0; v < 11; ++v)
          predicted[v] +=
              definition.head.shares()[static_cast<std::size_t>(t * kExperts + e)] * std::exp(outputs[v]) / total;
      }
      for (std::size_t v = 0; v < 11; ++v) {
        worst = std::max(
            worst,
            std::abs(std::exp(static_cast<double>(fixture.logits.as<float>()[static_cast<std::size_t>(t) * 11 + v])) -
                     predicted[v]));
        sum += predicted[v];
      }
      QVERIFY(std::abs(sum - 1) < 1e-12);
      const std::int32_t target = fixture.targets[static_cast<std::size_t>(t)];
      const double loss = target < 0 ? 0 : -std::log(predicted[static_cast<std::size_t>(target)]);
      QVERIFY(std::abs(static_cast<double>(fixture.losses.as<float>()[t]) - loss) < 1e-5);
    }
    QVERIFY2(worst < 1e-6, std::to_string(worst).c_str());
  }
  void cooperativeTrainingPredictsByTheMixedOutputs() {
    const ModelConfig config = mixtureConfig(ExpertKind::linear, {{"o", Form::cooperative, 1}});
    Fixture fixture("reference", DType::f64, config, 13);
    fixture.head.predict(fixture.losses, fixture.logits, fixture.targets, fixture.memory);
    const std::vector<double> predicted = numbers(fixture.losses);
    fixture.head.train(fixture.losses, fixture.dx, fixture.targets, 0, fixture.memory);
    QVERIFY(apart(numbers(fixture.losses), predicted) < 1e-12);
  }
  void aModelGeneratesFromTheMixtureTokenByToken() {
    for (const Form form : {Form::likelihood, Form::cooperative}) {
      ModelConfig config = mixtureConfig(ExpertKind::linear, {{"l", form, 1}}, 256);
      config.layers[1].hasExperts = true;
      QVERIFY(problems(config).empty());
      const auto backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f64});
      Model model(*backend, config, DType::f64, false);
      model.initialise(4);
      const Batch batch = test::tinyBatch(1, config.context, config.vocabulary);
      model.forward(batch, {.phase = Phase::generation});
      const std::vector<double> whole = numbers(model.logits());
      QCOMPARE(model.expertLayers().size(), std::size_t{2});
      QCOMPARE(model.expertLayers()[1], kHeadLayer);
      QCOMPARE(model.recipeOf(1).experts.outputWidth, 256);
      const auto cache = model.makeCache();
      for (std::int64_t t = 0; t < config.context; ++t) {
        const std::vector<double> next = numbers(model.next(*cache, batch.ids[static_cast<std::size_t>(t)], t));
        for (std::size_t v = 0; v < 256; ++v)
          QVERIFY(std::abs(next[v] - whole[static_cast<std::size_t>(t) * 256 + v]) < 1e-10);
        QCOMPARE(model.routing().size(), std::size_t{2});
        QCOMPARE(model.routing()[1]->experts, 4);
      }
    }
  }
  void whatAHeadCannotBeIsRefusedByName() {
    const auto pathOf = [](const std::function<void(Recipe&)>& edit) {
      ModelConfig config = mixtureConfig(ExpertKind::linear, {{"l", Form::likelihood, 1}});
      for (LayerConfig& layer : config.layers) edit(layer.recipe);
      const auto found = problems(config);
      return found.empty() ? std::string() : found.front().path;
    };
    QCOMPARE(pathOf([](Recipe&) {}), std::string());
    QCOMPARE(pathOf([](Recipe& r) { r.head.density = Recipe::Head::Density::gaussian; }), std::string("head.density"));
    QCOMPARE(pathOf([](Recipe& r) { r.head.losses[0].coefficient = 0; }), std::string("head.losses"));
    QCOMPARE(pathOf([](Recipe& r) { r.select.kind = Recipe::Select::Kind::topK; }), std::string("select.kind"));
    QCOMPARE(pathOf([](Recipe& r) { r.score = Recipe::Score::sigmoid; }), std::string("score.kind"));
    QCOMPARE(pathOf([](Recipe& r) { r.weigh.scale = 2; }), std::string("weigh.kind"));
    QCOMPARE(pathOf([](Recipe& r) { r.capacity.factor = 1; }), std::string("capacity.factor"));
    QCOMPARE(pathOf([](Recipe& r) { r.combine.expertDropout = 0.5; }), std::string("combine.shared"));
    QCOMPARE(pathOf([](Recipe& r) { r.experts.outputWidth = 5; }), std::string("experts.output_width"));
    QCOMPARE(pathOf([](Recipe& r) { r.experts.outputWidth = 11; }), std::string());
    ModelConfig tied = mixtureConfig(ExpertKind::linear, {{"l", Form::likelihood, 1}});
    tied.tiedHead = true;
    QCOMPARE(problems(tied).front().path, std::string("model.tied_head"));
  }
  void theHeadsExpertsAreCountedInFull() {
    const ModelConfig config = mixtureConfig(ExpertKind::linear, {{"l", Form::likelihood, 1}});
    ModelConfig plain = config;
    for (LayerConfig& layer : plain.layers) layer.recipe.head = {};
    // 4 experts of 11 x 8 and 11 biases, a router of 4 x 8, instead of one matrix of 11 x 8.
    const ModelSize size = sizeOf(config, config.context), before = sizeOf(plain, plain.context);
    QCOMPARE(size.totalParameters - before.totalParameters, std::int64_t{4 * 99 + 32 - 88});
    QCOMPARE(size.activeParameters - before.activeParameters, std::int64_t{4 * 99 + 32 - 88});
    QCOMPARE(size.flopsPerToken - before.flopsPerToken, 6.0 * (4 * 88 + 32 - 88));
    const ModelConfig twin = denseTwin(config, config.context);
    QVERIFY(!isRouted(twin) && problems(twin).empty());
    // Two layers of GLUs of width 8 share 4 * 88 - 88 weights and 44 biases: 13 units each, of 24 weights.
    QVERIFY(std::abs(static_cast<double>(sizeOf(twin, twin.context).activeParameters - size.activeParameters)) <=
            24.0 + 32);
  }
};
SWITCHYARD_TEST(MixtureLanguageHeadTest)
#include "mixture_language_head_test.moc"
