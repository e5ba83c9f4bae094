#include <cmath>

#include "core/backend/backend.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;

namespace {

struct Fresh {
  std::unique_ptr<Backend> backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f32});
  Model model;
  Fresh(const ModelConfig& config, std::uint64_t seed, DType dtype = DType::f32)
      : model(*backend, config, dtype, false) {
    model.initialise(seed);
  }
};

}  // namespace

class InitialiseTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void weightsDependOnTheSeedAndTheirPlaceAlone() {
    const ModelConfig config = test::tinyConfig().model;
    Fresh one(config, 4), two(config, 4, DType::f64), other(config, 5);
    const char* name = "layers.1.experts.down";
    double squares = 0;
    const auto values = one.model.parameters().value(name).span<float>();
    for (std::size_t i = 0; i < values.size(); ++i) {
      QCOMPARE(values[i], static_cast<float>(two.model.parameters().value(name).span<double>()[i]));
      QVERIFY(values[i] != other.model.parameters().value(name).span<float>()[i]);
      squares += static_cast<double>(values[i]) * values[i];
    }
    // Writes to the residual: 0.02 / sqrt(2 * 2 layers) = 0.01; 192 draws, standard error of the deviation 5 %.
    QVERIFY(std::abs(std::sqrt(squares / static_cast<double>(values.size())) - 0.01) < 0.0025);
    QCOMPARE(one.model.parameters().value("final_norm.weight").as<float>()[3], 1.0f);
  }
  void expertsMadeOfADenseNetworkAreItsCopies() {
    ModelConfig config = test::tinyConfig().model;
    for (LayerConfig& layer : config.layers) layer.recipe.experts.init = Recipe::Experts::Init::denseCopy;
    Fresh fresh(config, 4);
    for (const char* name : {"layers.0.experts.gate", "layers.0.experts.up", "layers.1.experts.down"}) {
      const auto bank = fresh.model.parameters().value(name).span<float>();
      const std::size_t one = bank.size() / 4;
      QVERIFY(bank[0] != bank[1]);
      for (std::size_t i = one; i < bank.size(); ++i) QCOMPARE(bank[i], bank[i % one]);
    }
  }
  void aHashLayersTableComesBackWithTheSeed() {
    ModelConfig config = test::tinyConfig().model;
    for (LayerConfig& layer : config.layers) {
      layer.recipe.logits.kind = Recipe::Logits::Kind::none;
      layer.recipe.select.kind = Recipe::Select::Kind::hash;
      layer.recipe.weigh.kind = Recipe::Weigh::Kind::one;
      layer.recipe.balance.clear();
    }
    QVERIFY(problems(config).empty());
    const Batch batch = test::tinyBatch(1, 6, config.vocabulary);
    const auto expertsOf = [&](std::uint64_t seed) {
      Fresh fresh(config, seed);
      fresh.model.forward(batch, {});
      return fresh.model.routing()[0]->asked;
    };
    QVERIFY(expertsOf(4) == expertsOf(4));
    QVERIFY(expertsOf(4) != expertsOf(5));
  }
};
SWITCHYARD_TEST(InitialiseTest)
#include "initialise_test.moc"
