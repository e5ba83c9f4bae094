#include "core/model/experts_init.h"

#include <cmath>

#include "core/backend/backend.h"
#include "core/backend/reference/reference_backend.h"
#include "core/model/model.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;
using Init = Recipe::Experts::Init;

namespace {

constexpr std::int64_t kWidth = 5, kTokens = 7;

Recipe recipeOf(ExpertKind kind, Init init, int hidden, int experts = 3) {
  Recipe recipe;
  recipe.experts.count = experts;
  recipe.experts.kind = kind;
  recipe.experts.hidden = {hidden};
  recipe.experts.bias = true;
  recipe.experts.init = init;
  return recipe;
}

/// Memory for a bank by the names of its segments, drawn.
struct Bank {
  std::vector<std::pair<std::string, Tensor>> segments;
  ExpertsSpec spec;
  ExpertsWeights weights;
  Bank(const Recipe& recipe, std::uint64_t seed) : spec(expertsSpec(recipe, kWidth)) {
    std::uint32_t index = 0;
    for (const MoeSegment& segment : moeSegments(recipe, kWidth)) {
      segments.emplace_back(segment.name, hostTensor(segment.shape, DType::f64));
      fillNormal(segments.back().second, {.seed = seed, .layer = index++}, 0, 0.5);
    }
    weights = bindMoeWeights(recipe, kWidth, [&](std::string_view name) -> TensorView {
                for (const auto& [known, tensor] : segments)
                  if (known == name) return tensor;
                return {};
              }).experts;
  }
};

/// Sum over the experts of what each gives for the same tokens.
std::vector<double> sumOfExperts(const ExpertsSpec& spec, const ExpertsWeights& weights) {
  ReferenceBackend backend(DType::f64);
  const Tensor x = hostTensor({kTokens, kWidth}, DType::f64), y = hostTensor({kTokens, kWidth}, DType::f64);
  fillNormal(x, {.seed = 99}, 0, 1);
  Dispatch dispatch;
  dispatchEveryToken(dispatch, kTokens, static_cast<std::int32_t>(spec.experts()));
  const Tensor saved = hostTensor({backend.expertsSavedElements(spec, dispatch.assignments())}, DType::f64);
  backend.experts(y, saved, x, dispatch, spec, weights, {}, false);
  const auto numbers = y.span<double>();
  return {numbers.begin(), numbers.end()};
}

double apart(const std::vector<double>& a, const std::vector<double>& b, double times = 1) {
  double worst = 0;
  for (std::size_t i = 0; i < a.size(); ++i) worst = std::max(worst, std::abs(a[i] - times * b[i]));
  return worst;
}

}  // namespace

class ExpertsInitTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void copiesComputeWhatTheDenseNetworkComputes_data() {
    QTest::addColumn<int>("kind");
    QTest::newRow("mlp") << static_cast<int>(ExpertKind::mlp);
    QTest::newRow("glu") << static_cast<int>(ExpertKind::glu);
    QTest::newRow("clamped glu") << static_cast<int>(ExpertKind::clampedGlu);
  }
  void copiesComputeWhatTheDenseNetworkComputes() {
    QFETCH(int, kind);
    const Bank bank(recipeOf(static_cast<ExpertKind>(kind), Init::denseCopy, 4), 1);
    const Bank dense(recipeOf(static_cast<ExpertKind>(kind), Init::random, 4, 1), 2);
    expertsFromDense(bank.weights, bank.spec, dense.weights, 4, Init::denseCopy, 0, {});
    QVERIFY(apart(sumOfExperts(bank.spec, bank.weights), sumOfExperts(dense.spec, dense.weights), 3) < 1e-12);
  }
  void slicesTogetherComputeWhatTheDenseNetworkComputes_data() { copiesComputeWhatTheDenseNetworkComputes_data(); }
  void slicesTogetherComputeWhatTheDenseNetworkComputes() {
    QFETCH(int, kind);
    Recipe sliced = recipeOf(static_cast<ExpertKind>(kind), Init::denseSlice, 4),
           whole = recipeOf(static_cast<ExpertKind>(kind), Init::random, 12, 1);
    sliced.experts.bias = whole.experts.bias = false;  // each slice would add the output bias once more
    const Bank bank(sliced, 1), dense(whole, 2);
    expertsFromDense(bank.weights, bank.spec, dense.weights, 12, Init::denseSlice, 0, {});
    QVERIFY(apart(sumOfExperts(bank.spec, bank.weights), sumOfExperts(dense.spec, dense.weights)) < 1e-12);
  }
  void noiseHasTheAskedShareOfTheWeightsDeviation() {
    Bank bank(recipeOf(ExpertKind::glu, Init::denseCopy, 400), 1);
    const Bank dense(recipeOf(ExpertKind::glu, Init::random, 400, 1), 2);
    expertsFromDense(bank.weights, bank.spec, dense.weights, 400, Init::denseCopy, 0.1, {.seed = 5});
    double squares = 0;
    const std::int64_t one = dense.weights.up.elements();
    for (std::int64_t i = 0; i < 3 * one; ++i) {
      const double added = bank.weights.up.as<double>()[i] - dense.weights.up.as<double>()[i % one];
      squares += added * added;
    }
    // 0.1 of 0.5; the error of a deviation from 6000 draws is 1 % of it, so 5 % is five of them.
    QVERIFY(std::abs(std::sqrt(squares / static_cast<double>(3 * one)) / 0.05 - 1) < 0.05);
    for (std::int64_t i = 0; i < bank.weights.upBias.elements(); ++i)
      QCOMPARE(bank.weights.upBias.as<double>()[i], dense.weights.upBias.as<double>()[i % 400]);
  }
  void aFreshModelsExpertsAreCopiesOfItsFirst() {
    ReferenceBackend backend;
    ModelConfig config = test::tinyConfig().model;
    for (LayerConfig& layer : config.layers) layer.recipe.experts.init = Init::denseCopy;
    Model model(backend, config, DType::f32, false);
    model.initialise(3);
    const Parameter* down = model.parameters().find("layers.0.experts.down");
    QVERIFY(down);
    const std::int64_t experts = config.layers[0].recipe.experts.count, one = down->value.elements() / experts;
    for (std::int64_t i = 0; i < down->value.elements(); ++i)
      QCOMPARE(down->value.as<float>()[i], down->value.as<float>()[i % one]);
    QVERIFY(down->value.as<float>()[0] != 0);
  }
};
SWITCHYARD_TEST(ExpertsInitTest)
#include "experts_init_test.moc"
