#include "core/model/moe_layer.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>

#include "core/backend/backend.h"
#include "core/backend/reference/reference_backend.h"
#include "core/tensor/philox.h"
#include "tests/support/register.h"

using namespace moe;

namespace {

constexpr std::int64_t kWidth = 6, kTokens = 10;

/// The reference backend, counting what is allocated.
class CountingBackend : public ReferenceBackend {
 public:
  using ReferenceBackend::ReferenceBackend;
  Tensor allocate(Shape shape, DType dtype) override {
    ++allocations;
    return ReferenceBackend::allocate(shape, dtype);
  }
  int allocations = 0;
};

Recipe everything() {
  Recipe recipe;
  recipe.experts.count = 4;
  recipe.experts.hidden = {3, 5, 2, 4};
  recipe.select.k = 2;
  recipe.capacity.factor = 0.6;
  recipe.combine.shared = Recipe::Combine::Shared{.count = 2, .hidden = 3, .tokenGate = true};
  recipe.combine.denseResidual = Recipe::Combine::DenseResidual{.hidden = 4};
  recipe.combine.expertDropout = 0.3;
  return recipe;
}

/// A layer with weights, gradients and one pass over drawn tokens.
struct Fixture {
  CountingBackend backend{DType::f64};
  Recipe recipe;
  Activations memory{backend};
  MoeLayer layer;
  std::map<std::string, Tensor, std::less<>> values, gradients;
  MoeWeights weights, dWeights;
  Tensor x = hostTensor({kTokens, kWidth}, DType::f64), u = hostTensor({kTokens, kWidth}, DType::f64),
         dy = hostTensor({kTokens, kWidth}, DType::f64), y = hostTensor({kTokens, kWidth}, DType::f64),
         dx = hostTensor({kTokens, kWidth}, DType::f64), du = hostTensor({kTokens, kWidth}, DType::f64), keep;
  MoeInput input;

  explicit Fixture(const Recipe& given) : recipe(given), layer(backend, given, kWidth) {
    std::uint32_t index = 0;
    for (const MoeSegment& segment : moeSegments(recipe, kWidth)) {
      values[segment.name] = hostTensor(segment.shape, DType::f64);
      gradients[segment.name] = hostTensor(segment.shape, DType::f64);
      fillNormal(values[segment.name], {.seed = 1, .layer = index++}, 0, 0.7);
    }
    const auto in = [](const auto& map) {
      return [&map](std::string_view name) -> TensorView {
        const auto found = map.find(name);
        return found == map.end() ? TensorView{} : found->second.view();
      };
    };
    weights = bindMoeWeights(recipe, kWidth, in(values));
    dWeights = bindMoeWeights(recipe, kWidth, in(gradients));
    fillNormal(x, {.seed = 2}, 0, 1);
    fillNormal(u, {.seed = 3}, 0, 1);
    fillNormal(dy, {.seed = 4}, 0, 1);
    keep = hostTensor({kTokens, layer.widestHidden()}, DType::f64);
    fillKeepHidden(keep, recipe.combine.expertDropout, 5, 0, 0, 0);
    input.x = x;
    if (recipe.combine.denseResidual) input.postAttention = u;
    if (recipe.combine.expertDropout > 0) input.keepHidden = keep;
  }
  double objective() {
    memory.begin();
    layer.forward(y, input, weights, memory);
    double sum = 0;
    for (std::int64_t i = 0; i < y.elements(); ++i) sum += y.as<double>()[i] * dy.as<double>()[i];
    return sum;
  }
  void step() {
    objective();
    layer.backward(dWeights, dx, du, dy, input, weights, memory);
  }
  /// Relative error of a gradient against central differences.
  double error(const TensorView& value, const TensorView& gradient) {
    double off = 0, size = 0;
    for (std::int64_t i = 0; i < value.elements(); ++i) {
      double& number = value.as<double>()[i];
      const double kept = number;
      number = kept + 1e-5;
      const double above = objective();
      number = kept - 1e-5;
      const double numeric = (above - objective()) / 2e-5;
      number = kept;
      off += (numeric - gradient.as<double>()[i]) * (numeric - gradient.as<double>()[i]);
      size += numeric * numeric;
    }
    return size > 0 ? std::sqrt(off / size) : 1;
  }
};

}  // namespace

class MoeLayerTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyGradientAgreesWithCentralDifferences_data() {
    QTest::addColumn<Recipe>("recipe");
    QTest::newRow("everything") << everything();
    for (const auto& [name, kind] :
         {std::pair{"linear", ExpertKind::linear}, std::pair{"mlp", ExpertKind::mlp}, std::pair{"glu", ExpertKind::glu},
          std::pair{"clamped glu", ExpertKind::clampedGlu}})
      for (const bool onInput : {false, true}) {
        Recipe recipe;
        recipe.experts.count = 4;
        recipe.experts.kind = kind;
        if (kind != ExpertKind::linear) recipe.experts.hidden = {3};
        recipe.experts.bias = true;
        recipe.weigh.kind = Recipe::Weigh::Kind::score;
        if (onInput) recipe.weigh.appliesTo = Recipe::Weigh::AppliesTo::input;
        QTest::addRow("routed alone, %s, weight on the %s", name, onInput ? "input" : "output") << recipe;
      }
    Recipe plain;
    plain.experts.count = 4;
    plain.experts.hidden = {3};
    const auto row = [&](const char* name, const std::function<void(Recipe::Combine&)>& edit) {
      Recipe recipe = plain;
      edit(recipe.combine);
      QTest::newRow(name) << recipe;
    };
    row("shared", [](Recipe::Combine& c) { c.shared = Recipe::Combine::Shared{.count = 2, .hidden = 3}; });
    row("shared, gated",
        [](Recipe::Combine& c) { c.shared = Recipe::Combine::Shared{.hidden = 3, .tokenGate = true}; });
    row("dense residual", [](Recipe::Combine& c) { c.denseResidual = Recipe::Combine::DenseResidual{.hidden = 4}; });
    row("expert dropout", [](Recipe::Combine& c) { c.expertDropout = 0.4; });
  }
  void everyGradientAgreesWithCentralDifferences() {
    QFETCH(Recipe, recipe);
    Fixture f(recipe);
    f.step();
    for (const auto& [name, value] : f.values)
      QVERIFY2(f.error(value, f.gradients.find(name)->second) <= 1e-6, name.c_str());
    QVERIFY(f.error(f.x, f.dx) <= 1e-6);
    if (recipe.combine.denseResidual) QVERIFY(f.error(f.u, f.du) <= 1e-6);
  }
  void expertsOfDifferentSizesUnderNoiseGiveTheirWeightedSum() {
    for (const auto reach : {Recipe::Perturb::AppliesTo::both, Recipe::Perturb::AppliesTo::selection}) {
      Recipe recipe;
      recipe.experts.count = 4;
      recipe.experts.kind = ExpertKind::mlp;
      recipe.experts.activation = Activation::relu;
      recipe.experts.hidden = {3, 5, 2, 4};
      recipe.perturb.noise = Recipe::Perturb::Noise::gaussian;
      recipe.perturb.sigma = 2;
      recipe.perturb.noiseAppliesTo = reach;
      Fixture f(recipe);
      const Tensor noise = hostTensor({kTokens, 4}, DType::f64);
      fillNormal(noise, {.seed = 8}, 0, 1);
      f.input.routing.draws.noise = noise;
      f.objective();
      int turned = 0;
      const double *router = f.weights.router.weight.as<double>(), *up = f.weights.experts.up.as<double>(),
                   *down = f.weights.experts.down.as<double>();
      for (std::int64_t t = 0; t < kTokens; ++t) {
        const double* x = f.x.as<double>() + t * kWidth;
        double z[4] = {}, noisy[4];
        for (int e = 0; e < 4; ++e) {
          for (std::int64_t d = 0; d < kWidth; ++d) z[e] += router[e * kWidth + d] * x[d];
          noisy[e] = z[e] + 2 * noise.as<double>()[t * 4 + e];
        }
        const auto twoLargest = [](const double* values) {
          std::array<int, 4> order{0, 1, 2, 3};
          std::ranges::sort(order, [&](int a, int b) { return values[a] > values[b]; });
          return std::pair(order[0], order[1]);
        };
        const auto [first, second] = twoLargest(noisy);
        turned += twoLargest(z) != twoLargest(noisy);
        const double* weighed = reach == Recipe::Perturb::AppliesTo::both ? noisy : z;
        const double share = 1 / (1 + std::exp(weighed[second] - weighed[first]));
        for (std::int64_t o = 0; o < kWidth; ++o) {
          double y = 0;
          for (const auto& [e, w] : {std::pair(first, share), std::pair(second, 1 - share)}) {
            std::int64_t begin = 0;
            for (int other = 0; other < e; ++other) begin += recipe.experts.hidden[static_cast<std::size_t>(other)];
            const std::int64_t hidden = recipe.experts.hidden[static_cast<std::size_t>(e)];
            for (std::int64_t h = 0; h < hidden; ++h) {
              double unit = 0;
              for (std::int64_t d = 0; d < kWidth; ++d) unit += up[(begin + h) * kWidth + d] * x[d];
              y += w * down[kWidth * begin + o * hidden + h] * std::max(0.0, unit);
            }
          }
          QVERIFY(std::abs(f.y.as<double>()[t * kWidth + o] - y) < 1e-12);
        }
      }
      QVERIFY2(turned > 2, "the noise changed no selection");
    }
  }
  void segmentsAreNamedOnceAndCountEveryWeight() {
    const Recipe recipe = everything();
    std::set<std::string> names;
    std::int64_t elements = 0;
    for (const MoeSegment& segment : moeSegments(recipe, kWidth)) {
      names.insert(segment.name);
      elements += segment.shape.elements();
    }
    QCOMPARE(names.size(), moeSegments(recipe, kWidth).size());
    // router 4, experts 3 * 14 units, shared 3 * 6 units, gate 1, residual 3 * 4 units, norm 1: rows of the width.
    QCOMPARE(elements, kWidth * (4 + 3 * 14 + 3 * 6 + 1 + 3 * 4 + 1));
  }
  void equalExpertsHaveTheShapesOfTheirFiles() {
    Recipe recipe = everything();
    recipe.experts.hidden = {3};
    for (const MoeSegment& segment : moeSegments(recipe, kWidth)) {
      if (segment.name == "experts.gate") QVERIFY((segment.shape == Shape{4, 3, kWidth}));
      if (segment.name == "experts.down") QVERIFY((segment.shape == Shape{4, kWidth, 3}));
    }
  }
  void aStepAllocatesNothingOnceItsBuffersStand() {
    Fixture f(everything());
    f.step();  // finds the size of the memory, which the next takes whole
    f.step();
    const int before = f.backend.allocations;
    QVERIFY(before > 0);
    for (int i = 0; i < 3; ++i) f.step();
    QCOMPARE(f.backend.allocations, before);
  }
  void withoutDrawsNothingIsDroppedFromTheHiddenUnits() {
    Recipe with = everything(), without = everything();
    without.combine.expertDropout = 0;
    Fixture a(with), b(without);
    a.input.keepHidden = {};
    QCOMPARE(a.objective(), b.objective());
  }
  void dropoutKeepsTheAskedShareAndFollowsTheToken() {
    const Tensor all = hostTensor({1000, 20}, DType::f32), tail = hostTensor({400, 20}, DType::f32);
    fillKeepHidden(all, 0.3, 7, 2, 1, 0);
    fillKeepHidden(tail, 0.3, 7, 2, 1, 600);
    double kept = 0;
    for (const float value : all.span<float>()) kept += value;
    // Deviation of a share of 20,000 draws: 0.0032; five of them.
    QVERIFY(std::abs(kept / 20000 - 0.7) < 0.017);
    for (int i = 0; i < 400 * 20; ++i) QCOMPARE(tail.as<float>()[i], all.as<float>()[600 * 20 + i]);
  }
};
SWITCHYARD_TEST(MoeLayerTest)
#include "moe_layer_test.moc"
