#include "core/model/moe_layer.h"

#include <map>
#include <set>

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
    layer.forward(y, input, weights);
    double sum = 0;
    for (std::int64_t i = 0; i < y.elements(); ++i) sum += y.as<double>()[i] * dy.as<double>()[i];
    return sum;
  }
  void step() {
    objective();
    layer.backward(dWeights, dx, du, dy, input, weights);
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
  void everyGradientAgreesWithCentralDifferences() {
    Fixture f(everything());
    f.step();
    for (const auto& [name, value] : f.values)
      QVERIFY2(f.error(value, f.gradients.find(name)->second) <= 1e-6, name.c_str());
    QVERIFY(f.error(f.x, f.dx) <= 1e-6);
    QVERIFY(f.error(f.u, f.du) <= 1e-6);
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
