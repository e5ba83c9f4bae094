#include "core/backend/onednn/onednn_backend.h"
#include "core/router/pipeline.h"
#include "tests/support/register.h"

using namespace moe;

namespace {

constexpr std::int64_t kTokens = 96, kWidth = 48;
constexpr std::int32_t kExperts = 12;

Tensor normal(Shape shape, std::uint32_t index, double mean = 0, double deviation = 1) {
  Tensor out = hostTensor(shape, DType::f32);
  fillNormal(out, {.seed = 5, .layer = index}, mean, deviation);
  return out;
}

/// A router with everything that touches the products: jitter, learned noise, biases.
struct Case {
  Recipe recipe;
  Tensor x = normal({kTokens, kWidth}, 0), weight = normal({kExperts, kWidth}, 1, 0, 0.2),
         bias = normal({kExperts, 1}, 2, 0, 0.1), noiseWeight = normal({kExperts, kWidth}, 3, 0, 0.1),
         jitter = normal({kTokens, kWidth}, 4, 1, 0.01), noise = normal({kTokens, kExperts}, 5);
  std::vector<double> dAssignment;

  explicit Case(bool everything) {
    recipe.experts.count = kExperts;
    recipe.balance = {{.name = "load", .coefficient = 0.01}};
    if (!everything) return;
    recipe.logits.bias = true;
    recipe.perturb.inputJitter = 0.01;
    recipe.perturb.noise = Recipe::Perturb::Noise::learned;
  }
  RoutingInput input() const {
    RoutingInput in;
    in.x = x;
    in.weights.weight = weight;
    if (recipe.logits.bias) in.weights.bias = bias.view().reshaped({kExperts});
    if (recipe.perturb.inputJitter == 0) return in;
    in.weights.noiseWeight = noiseWeight;
    in.draws.inputJitter = jitter;
    in.draws.noise = noise;
    return in;
  }
};

struct RouteGradients {
  Tensor weight = hostTensor({kExperts, kWidth}, DType::f32), bias = hostTensor({kExperts}, DType::f32),
         noiseWeight = hostTensor({kExperts, kWidth}, DType::f32), x = hostTensor({kTokens, kWidth}, DType::f32);
  RouterWeights weights(const RoutingInput& in) const {
    RouterWeights out;
    out.weight = weight;
    if (!in.weights.bias.empty()) out.bias = bias;
    if (!in.weights.noiseWeight.empty()) out.noiseWeight = noiseWeight;
    return out;
  }
};

double difference(const Tensor& a, const Tensor& b) {
  double worst = 0, largest = 0;
  for (std::int64_t i = 0; i < a.elements(); ++i) {
    worst = std::max(worst, std::abs(static_cast<double>(a.as<float>()[i]) - b.as<float>()[i]));
    largest = std::max(largest, std::abs(static_cast<double>(b.as<float>()[i])));
  }
  return largest == 0 ? worst : worst / largest;
}

}  // namespace

class OnednnRouteTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void routingAgreesWithThePipelinesOwnProducts_data() {
    QTest::addColumn<bool>("everything");
    QTest::newRow("plain") << false;
    QTest::newRow("with jitter, noise and bias") << true;
  }
  void routingAgreesWithThePipelinesOwnProducts() {
    QFETCH(bool, everything);
    // f32 sums of 96 products and the stages behind them: some hundred roundings of 2^-24.
    constexpr double kBound = 1e-5;
    const Case c(everything);
    const RoutingInput in = c.input();
    OnednnBackend fast(2);
    Routing found, expected;
    fast.route(found, c.recipe, in);
    routeForward(expected, c.recipe, in);
    QCOMPARE(found.asked, expected.asked);
    QCOMPARE(found.dispatch.token, expected.dispatch.token);
    QVERIFY(difference(found.logits, expected.logits) < kBound);
    QVERIFY(difference(found.finalWeight, expected.finalWeight) < kBound);

    const Tensor dAssignment = hostTensor({found.dispatch.assignments()}, DType::f64);
    const auto slopes = dAssignment.span<double>();
    for (std::size_t i = 0; i < slopes.size(); ++i) slopes[i] = std::sin(static_cast<double>(i));
    const RouteGradients mine, theirs;
    fast.routeBackward(mine.weights(in), mine.x, found, c.recipe, in, dAssignment);
    routeBackward(theirs.weights(in), theirs.x, expected, c.recipe, in, slopes);
    QVERIFY(difference(mine.weight, theirs.weight) < kBound);
    QVERIFY(difference(mine.bias, theirs.bias) < kBound);
    QVERIFY(difference(mine.noiseWeight, theirs.noiseWeight) < kBound);
    QVERIFY(difference(mine.x, theirs.x) < kBound);
    double size = 0;
    for (const float value : mine.x.span<float>()) size += std::abs(value);
    QVERIFY(size > 0);
  }
};
SWITCHYARD_TEST(OnednnRouteTest)
#include "onednn_route_test.moc"
