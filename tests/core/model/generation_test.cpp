#include <cmath>

#include "core/backend/backend.h"
#include "core/backend/onednn/onednn_backend.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;

class GenerationTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void oneTokenAtATimeGivesTheLogitsAndRoutingOfTheWholeSequence() {
    for (const Positions positions : {Positions::rope, Positions::learned}) {
      ModelConfig config = test::tinyConfig().model;
      config.positions = positions;
      config.initDeviation = 0.4;
      config.layers[0].hasExperts = false;
      config.layers[1].recipe.combine.shared = Recipe::Combine::Shared{.count = 1, .hidden = 4};
      const auto backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f64});
      Model model(*backend, config, DType::f64, false);
      model.initialise(4);
      const Batch batch = test::tinyBatch(1, config.context, config.vocabulary);
      PassSettings settings;
      settings.phase = Phase::generation;
      model.forward(batch, settings);
      const TensorView logits = model.logits();
      const std::vector<double> whole(logits.span<double>().begin(), logits.span<double>().end());
      const std::vector<std::int32_t> asked = model.routing()[0]->asked;
      const auto cache = model.makeCache();
      for (std::int64_t t = 0; t < config.context; ++t) {
        const TensorView next = model.next(*cache, batch.ids[static_cast<std::size_t>(t)], t);
        QCOMPARE(next.shape, (Shape{config.vocabulary}));
        for (std::int64_t v = 0; v < config.vocabulary; ++v)
          QVERIFY(std::abs(next.as<double>()[v] - whole[static_cast<std::size_t>(t * config.vocabulary + v)]) < 1e-12);
        QCOMPARE(model.routing().size(), std::size_t(1));
        for (int slot = 0; slot < 2; ++slot)
          QCOMPARE(model.routing()[0]->asked[static_cast<std::size_t>(slot)],
                   asked[static_cast<std::size_t>(2 * t + slot)]);
      }
    }
  }
  void theFastBackendAllocatesNothingForATokenAfterTheFirst() {
    ModelConfig config = test::tinyConfig().model;
    config.layers[0].hasExperts = false;
    OnednnBackend backend(2);
    Model model(backend, config, DType::f32, false);
    model.initialise(4);
    const auto cache = model.makeCache();
    model.next(*cache, 1, 0);
    const std::int64_t before = backend.scratchAllocations();
    for (std::int64_t t = 1; t < config.context; ++t) model.next(*cache, 2, t);
    QCOMPARE(backend.scratchAllocations(), before);
  }
  void aKnobTurnedMeanwhileReachesTheCache() {
    ModelConfig config = test::tinyConfig().model;
    const auto backend = makeBackend({.name = "reference", .threads = 1, .computeType = DType::f32});
    Model model(*backend, config, DType::f32, false);
    model.initialise(4);
    const auto cache = model.makeCache();
    model.next(*cache, 1, 0);
    QCOMPARE(model.routing()[0]->asked.size(), std::size_t(2));
    for (LayerConfig& layer : config.layers) layer.recipe.select.k = 3;
    model.reconfigure(config);
    model.next(*cache, 2, 1);
    QCOMPARE(model.routing()[0]->asked.size(), std::size_t(3));
  }
};
SWITCHYARD_TEST(GenerationTest)
#include "generation_test.moc"
