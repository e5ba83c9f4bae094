#include <cmath>
#include <cstring>

#include "core/backend/backend.h"
#include "core/train/trainer.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_trainer.h"

using namespace moe;
using test::Run;
using Freeze = TrainConfig::Freeze;

namespace {

RunConfig biased(Freeze freeze = Freeze::none) {
  RunConfig config = test::tinyConfig();
  config.train.freeze = freeze;
  for (LayerConfig& layer : config.model.layers) layer.recipe.adjust.selectionBias.emplace();
  return config;
}

/// Names of the parameters that five steps moved.
std::vector<std::string> moved(Run& run) {
  const TrainingState before = run.trainer.state();
  for (int i = 0; i < 5; ++i) run.trainer.step();
  const TrainingState after = run.trainer.state();
  std::vector<std::string> names;
  for (std::size_t i = 0; i < before.parameters.size(); ++i) {
    const TensorView &a = before.parameters[i].tensor, &b = after.parameters[i].tensor;
    if (std::memcmp(a.data, b.data, a.bytes()) != 0) names.push_back(before.parameters[i].name);
  }
  return names;
}

bool any(const std::vector<std::string>& names, const char* part) {
  return std::ranges::any_of(names, [&](const std::string& name) { return name.find(part) != std::string::npos; });
}

}  // namespace

class FreezingTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void withoutFreezingEveryParameterMoves() {
    Run run(biased());
    QCOMPARE(moved(run).size(), run.trainer.model().parameters().all().size());
    QVERIFY(run.trainer.model().selectionBias(0)[0] != 0);
  }
  void aFrozenRouterStaysBitForBitAndSoDoesItsBias() {
    Run run(biased(Freeze::router));
    const auto names = moved(run);
    QVERIFY(!any(names, ".router."));
    QVERIFY(any(names, ".experts.") && any(names, ".attention.") && any(names, "embedding"));
    for (std::size_t layer = 0; layer < run.trainer.config().model.layers.size(); ++layer)
      for (const float bias : run.trainer.model().selectionBias(layer)) QCOMPARE(bias, 0.0f);
  }
  void frozenExpertsStayAndTheRestMoves() {
    Run run(biased(Freeze::experts));
    const auto names = moved(run);
    QVERIFY(!any(names, ".experts."));
    QVERIFY(any(names, ".router.") && any(names, ".attention."));
  }
  void onlyTheRouterLearnsWhereAllElseIsFrozen() {
    Run run(biased(Freeze::allButRouter));
    const auto names = moved(run);
    QCOMPARE(names.size(), std::size_t(2));
    for (const std::string& name : names) QVERIFY(name.ends_with(".router.weight"));
    QVERIFY(run.trainer.model().selectionBias(0)[0] != 0);
  }
  void theGradientNormIsThatOfWhatLearns() {
    Run all(biased()), some(biased(Freeze::allButRouter));
    const double whole = all.trainer.step().gradientNorm, part = some.trainer.step().gradientNorm;
    QVERIFY(part > 0 && part < whole);
    double squares = 0;
    for (const Parameter& parameter : some.trainer.model().parameters().all())
      if (parameter.name.find(".router.") != std::string::npos)
        for (float g : parameter.gradient.span<float>()) squares += static_cast<double>(g) * g;
    QVERIFY(std::abs(std::sqrt(squares) - part) < 1e-6 * part);
  }
  void oneFrozenExpertStaysInEveryWeightAndItsNeighboursMove_data() {
    QTest::addColumn<QString>("backend");
    QTest::addColumn<bool>("different");
    QTest::newRow("plain loops, equal sizes") << "reference" << false;
    QTest::newRow("plain loops, different sizes") << "reference" << true;
    QTest::newRow("fast, different sizes") << "onednn" << true;
  }
  void oneFrozenExpertStaysInEveryWeightAndItsNeighboursMove() {
    QFETCH(QString, backend);
    QFETCH(bool, different);
    RunConfig config = biased();
    config.backend = backend.toStdString();
    config.train.frozenExperts = {{1, 1}, {1, 2}};
    const std::vector<std::int64_t> hidden =
        different ? std::vector<std::int64_t>{3, 5, 7, 4} : std::vector<std::int64_t>{6, 6, 6, 6};
    for (LayerConfig& layer : config.model.layers) {
      layer.recipe.experts.hidden.assign(hidden.begin(), hidden.end());
      layer.recipe.experts.bias = true;
      layer.recipe.select.kind = Recipe::Select::Kind::all;  // every expert has a gradient
      layer.recipe.weigh.kind = Recipe::Weigh::Kind::score;
      layer.recipe.adjust.selectionBias.reset();
    }
    Run run(config);
    const TrainingState before = run.trainer.state();
    for (int i = 0; i < 3; ++i) run.trainer.step();
    const TrainingState after = run.trainer.state();
    for (std::size_t i = 0; i < before.parameters.size(); ++i) {
      const std::string& name = before.parameters[i].name;
      if (name.find(".experts.") == std::string::npos) continue;
      const auto a = before.parameters[i].tensor.span<float>(), b = after.parameters[i].tensor.span<float>();
      const bool perOutput = name.ends_with("down_bias");
      const std::size_t unit = perOutput ? 8 : name.ends_with("_bias") ? 1 : 8;  // numbers a hidden unit, or an expert
      std::size_t begin = 0;
      for (std::size_t e = 0; e < 4; ++e) {
        const std::size_t end = begin + unit * (perOutput ? 1 : static_cast<std::size_t>(hidden[e]));
        const bool same =
            std::equal(a.begin() + static_cast<std::ptrdiff_t>(begin), a.begin() + static_cast<std::ptrdiff_t>(end),
                       b.begin() + static_cast<std::ptrdiff_t>(begin));
        QVERIFY2(same == (name.starts_with("layers.1.") && (e == 1 || e == 2)),
                 (name + " " + std::to_string(e)).c_str());
        begin = end;
      }
      QCOMPARE(begin, a.size());
    }
  }
  void freezingIsLiveAndThawingLetsItLearnAgain() {
    Run run(biased());
    run.trainer.set("train.freeze", "router");
    QVERIFY(!any(moved(run), ".router."));
    run.trainer.set("train.freeze", "none");
    QVERIFY(any(moved(run), ".router."));
    run.trainer.set("train.frozen_experts", R"(["0:3", "1:0"])");
    QCOMPARE(run.trainer.config().train.frozenExperts.size(), std::size_t(2));
    run.trainer.set("train.frozen_experts", withExpertFrozen(run.trainer.config().train, {0, 3}, false));
    QCOMPARE(getByPath(run.trainer.config(), "train.frozen_experts"), std::string(R"(["1:0"])"));
    QCOMPARE(withExpertFrozen(run.trainer.config().train, {0, 2}, true), std::string(R"(["0:2","1:0"])"));
  }
  void aConstantWeightIsAllowedWhereTheRouterIsFrozen() {
    RunConfig config = test::tinyConfig();
    for (LayerConfig& layer : config.model.layers) layer.recipe.select.k = 1;
    QVERIFY(!problems(config).empty());
    QCOMPARE(problems(config)[0].path, std::string("weigh.kind"));
    config.train.freeze = Freeze::router;
    QVERIFY(problems(config).empty());
    Run run(config);
    QVERIFY(test::sentenceOf([&] { run.trainer.set("train.freeze", "none"); }).starts_with("[config] weigh.kind"));
    for (LayerConfig& layer : config.model.layers) layer.recipe.weigh.kind = Recipe::Weigh::Kind::one;
    QVERIFY(problems(config).empty());
  }
  void whatCannotBeFrozenIsRefused() {
    RunConfig config = test::tinyConfig();
    config.train.frozenExperts = {{0, 4}};
    QCOMPARE(problems(config).at(0).path, std::string("train.frozen_experts"));
    config.train.frozenExperts = {{2, 0}};
    QCOMPARE(problems(config).at(0).path, std::string("train.frozen_experts"));
    config.train.frozenExperts.clear();
    config.train.freeze = Freeze::allButRouter;
    for (LayerConfig& layer : config.model.layers) layer.hasExperts = false;
    QCOMPARE(problems(config).at(0).path, std::string("train.freeze"));
    for (const char* wrong : {"3", "[3]", R"(["1"])", R"(["1:2x"])", R"(["a:b"])"})
      QVERIFY(test::sentenceOf([&] {
                setByPath(config, "train.frozen_experts", wrong);
              }).find("train.frozen_experts") != std::string::npos);
  }
};
SWITCHYARD_TEST(FreezingTest)
#include "freezing_test.moc"
