#include "core/inspect/left_out.h"

#include <algorithm>

#include "core/backend/backend.h"
#include "core/train/evaluation.h"
#include "tests/support/register.h"
#include "tests/support/temporary_folder.h"
#include "tests/support/tiny_model.h"

using namespace moe;

namespace {

struct Fixture {
  explicit Fixture(const RunConfig& config, DType dtype = DType::f64)
      : backend(makeBackend({.name = "reference", .threads = 1, .computeType = dtype})),
        model(*backend, config.model, dtype, false) {
    model.initialise(3);
  }
  double loss() {
    Batch batch;
    return heldOutLoss(model, *test::tinyCorpus(), batch, 2, 60).loss;
  }
  std::unique_ptr<Backend> backend;
  Model model;
};

RunConfig withShared() {
  RunConfig config = test::tinyConfig();
  for (LayerConfig& layer : config.model.layers) layer.recipe.combine.shared.emplace().hidden = 5;
  return config;
}

std::vector<LeftOut> leftOut(const std::vector<std::string>& texts) {
  std::vector<LeftOut> list;
  for (const std::string& text : texts) list.push_back(leftOutFromText(text));
  return list;
}

}  // namespace

class LeftOutTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void anExpertLeftOutIsNeverSelectedAndTheOthersAre() {
    Fixture fixture(test::tinyConfig());
    const double before = fixture.loss();
    leaveOut(fixture.model, leftOut({"1:2"}));
    QVERIFY(fixture.loss() != before);
    const auto uses = [&](std::size_t layer, int expert) {
      const std::vector<std::int32_t>& asked = fixture.model.routing()[layer]->asked;
      return std::ranges::count(asked, expert);
    };
    QCOMPARE(uses(1, 2), 0);
    QCOMPARE(uses(1, -1), 0);  // every token still has its two experts
    for (int e : {0, 1, 2, 3}) QVERIFY(uses(0, e) + (e == 2 ? 0 : uses(1, e)) > 0);
    fixture.model.keepOnly(1, {});
    QCOMPARE(fixture.loss(), before);
  }
  void anExpertThatNobodySelectsIsNotMissed() {
    // A bias far below every score keeps expert 1 out of each top 2; softmax over the selected does not read its score.
    RunConfig config = test::tinyConfig();
    for (LayerConfig& layer : config.model.layers) {
      layer.recipe.adjust.selectionBias.emplace();
      layer.recipe.weigh.kind = Recipe::Weigh::Kind::softmaxSelected;
    }
    Fixture fixture(config);
    for (std::size_t layer = 0; layer < config.model.layers.size(); ++layer) {
      std::vector<float> bias = fixture.model.selectionBias(layer);
      if (bias.empty()) continue;
      bias[1] = -9;
      fixture.model.setSelectionBias(layer, bias);
    }
    const double before = fixture.loss();
    leaveOut(fixture.model, leftOut({"all:1"}));
    QCOMPARE(fixture.loss(), before);
    leaveOut(fixture.model, leftOut({"all:0"}));
    QVERIFY(fixture.loss() != before);
  }
  void withoutItsSharedExpertsTheModelIsTheOneThatHasNone() {
    Fixture with(withShared()), without(test::tinyConfig());
    for (const Parameter& parameter : without.model.parameters().all())
      without.backend->copy(parameter.value, with.model.parameters().value(parameter.name));
    QVERIFY(with.loss() != without.loss());
    leaveOut(with.model, leftOut({"0:shared"}));
    QVERIFY(with.loss() != without.loss());
    leaveOut(with.model, leftOut({"all:shared"}));
    QCOMPARE(with.loss(), without.loss());
  }
  void aHashedExpertsTokensGetNothing() {
    Fixture fixture(test::hashedConfig());
    const double before = fixture.loss();
    leaveOut(fixture.model, leftOut({"0:3"}));
    QVERIFY(fixture.loss() != before);
    const TensorView down = fixture.model.parameters().value("layers.0.experts.down");  // (4, 8, 6)
    const auto row = [&](std::int64_t e) { return down.rows(e, e + 1).span<double>(); };
    QVERIFY(std::ranges::all_of(row(3), [](double x) { return x == 0; }));
    QVERIFY(std::ranges::any_of(row(2), [](double x) { return x != 0; }));
  }
  void whatTheModelHasNotIsRefusedWithASentence() {
    Fixture fixture(test::tinyConfig());
    const auto refused = [&](const std::vector<std::string>& texts) {
      return QString::fromStdString(test::sentenceOf([&] { leaveOut(fixture.model, leftOut(texts)); }));
    };
    QVERIFY(refused({"0:4"}).contains("experts 0 to 3"));
    QVERIFY(refused({"2:0"}).contains("no routed experts there"));
    QVERIFY(refused({"0:shared"}).contains("no shared experts there"));
    QVERIFY(refused({"0:0", "0:1", "0:2"}).contains("only 1 would stay"));
    for (const char* text : {"", "3", "0:", "0:-1", "x:1", "0:1x", ":1", "-1:0"})
      QVERIFY2(refused({text}).contains("expected layer:expert"), text);
  }
  void theTextOfAnExpertIsReadBack() {
    for (const char* text : {"2:5", "0:shared", "all:shared", "all:0"})
      QCOMPARE(textOf(leftOutFromText(text)), std::string(text));
  }
};
SWITCHYARD_TEST(LeftOutTest)
#include "left_out_test.moc"
