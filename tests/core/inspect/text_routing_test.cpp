#include "core/inspect/text_routing.h"

#include <cmath>
#include <set>

#include "core/backend/backend.h"
#include "tests/support/register.h"
#include "tests/support/tiny_model.h"

using namespace moe;

namespace {

struct Fixture {
  explicit Fixture(RunConfig config = test::tinyConfig(), DType dtype = DType::f64)
      : backend(makeBackend({.name = "reference"})),
        model(*backend, config.model, dtype, false),
        tokenizer(makeByteTokenizer()) {
    model.initialise(3);
  }
  std::unique_ptr<Backend> backend;
  Model model;
  std::unique_ptr<Tokenizer> tokenizer;
};

}  // namespace

class TextRoutingTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyTokenShowsItsChoiceItsWeightsAndItsMargin() {
    Fixture fixture;
    const TextRouting routing = routeText(fixture.model, *fixture.tokenizer, "trains");
    QVERIFY(routing.problem.empty());
    QCOMPARE(routing.text, std::string("trains"));
    QCOMPARE(routing.tokens.size(), std::size_t{6});
    QVERIFY(std::isnan(routing.tokens[0].loss));
    for (const TokenRouting& token : routing.tokens) {
      QCOMPARE(token.layers.size(), std::size_t{2});
      for (std::size_t l = 0; l < 2; ++l) {
        const TokenLayerRouting& layer = token.layers[l];
        QCOMPARE(layer.layer, static_cast<int>(l));
        QCOMPARE(layer.experts.size(), std::size_t{2});
        float sum = 0, third = 0;
        for (float p : layer.probabilities) sum += p;
        QVERIFY(std::abs(sum - 1) < 1e-5f);
        const float a = layer.probabilities[static_cast<std::size_t>(layer.experts[0])],
                    b = layer.probabilities[static_cast<std::size_t>(layer.experts[1])];
        for (int e = 0; e < 4; ++e)
          if (e != layer.experts[0] && e != layer.experts[1])
            third = std::max(third, layer.probabilities[static_cast<std::size_t>(e)]);
        QVERIFY(a >= b && b >= third);
        QVERIFY(std::abs(layer.margin - (b - third)) < 1e-6f);
        QVERIFY(std::abs(layer.weights[0] - a / (a + b)) < 1e-6f);
        QVERIFY(std::abs(layer.weights[1] - b / (a + b)) < 1e-6f);
        QVERIFY(!layer.dropped);
      }
    }
  }
  void aLongTextIsCutToItsEnd() {
    Fixture fixture;
    const TextRouting whole = routeText(fixture.model, *fixture.tokenizer, "the full yard"),
                      end = routeText(fixture.model, *fixture.tokenizer, "l yard");
    QCOMPARE(whole.tokens.size(), std::size_t{6});
    for (std::size_t t = 0; t < 6; ++t) {
      QCOMPARE(whole.tokens[t].id, end.tokens[t].id);
      QVERIFY(whole.tokens[t].layers[1].probabilities == end.tokens[t].layers[1].probabilities);
    }
  }
  void bytesThatAreNoCharacterAreShownAsOne() {
    Fixture fixture;
    const TextRouting routing = routeText(fixture.model, *fixture.tokenizer, "\xC3\xA9");
    QCOMPARE(routing.tokens.size(), std::size_t{2});
    for (const TokenRouting& token : routing.tokens) QCOMPARE(token.text, std::string("\xEF\xBF\xBD"));
  }
  void whatCannotBeRoutedSaysWhy() {
    Fixture fixture;
    QVERIFY(!routeText(fixture.model, *fixture.tokenizer, "").problem.empty());
    Generation none(fixture.model, *fixture.tokenizer, "", {});
    QVERIFY(!none.result().problem.empty());
    QVERIFY(!none.advance());
    RunConfig config = test::tinyConfig();
    for (LayerConfig& layer : config.model.layers) {
      layer.recipe.select.kind = Recipe::Select::Kind::expertChoice;
      layer.recipe.weigh.kind = Recipe::Weigh::Kind::score;
      layer.recipe.capacity.factor = 1.0;
      layer.recipe.balance.clear();
    }
    Fixture choosing(config);
    QVERIFY(routeText(choosing.model, *choosing.tokenizer, "yard").problem.find("token by token") != std::string::npos);
  }
  void capacityIsOffWhereATextIsLookedAt() {
    RunConfig config = test::tinyConfig();
    for (LayerConfig& layer : config.model.layers) layer.recipe.capacity.factor = 0.25;  // one slot an expert
    Fixture fixture(config);
    for (const TokenRouting& token : routeText(fixture.model, *fixture.tokenizer, "aaaaaa").tokens)
      for (const TokenLayerRouting& layer : token.layers)
        for (float weight : layer.weights) QVERIFY(weight > 0);
  }
  void oneTokenAtATimeIsRoutedAsTheWholeText() {
    Fixture fixture;
    Generation generation(fixture.model, *fixture.tokenizer, "the", {.tokens = 3, .temperature = 0});
    while (generation.advance()) {}
    const TextRouting stepwise = generation.result();
    QVERIFY(stepwise.complete);
    QCOMPARE(stepwise.tokens.size(), std::size_t{6});
    // The same ids at once: in f64 the two differ by rounding alone, far below 1e-9.
    const TextRouting whole = routeText(fixture.model, *fixture.tokenizer, generation.text());
    QCOMPARE(whole.tokens.size(), std::size_t{6});
    for (std::size_t t = 0; t < 6; ++t) {
      QCOMPARE(stepwise.tokens[t].id, whole.tokens[t].id);
      QCOMPARE(stepwise.tokens[t].generated, t >= 3);
      // Losses of a whole text are kept in f32.
      if (t > 0) QVERIFY(std::abs(stepwise.tokens[t].loss - whole.tokens[t].loss) < 1e-5);
      for (std::size_t l = 0; l < 2; ++l) {
        QVERIFY(stepwise.tokens[t].layers[l].experts == whole.tokens[t].layers[l].experts);
        for (std::size_t e = 0; e < 4; ++e)
          QVERIFY(std::abs(stepwise.tokens[t].layers[l].probabilities[e] - whole.tokens[t].layers[l].probabilities[e]) <
                  1e-6f);
      }
    }
  }
  void aContinuationGoesOnPastTheContext() {
    Fixture fixture;
    Generation generation(fixture.model, *fixture.tokenizer, "the full yard", {.tokens = 20, .seed = 4});
    int made = 1;
    while (generation.advance()) ++made;
    QCOMPARE(made, 20);
    QCOMPARE(generation.result().tokens.size(), std::size_t{26});
    QVERIFY(generation.text().starts_with("the full yard"));
    const int context = fixture.model.config().context;
    for (int t = 1; t < 26; ++t) {
      const TokenRouting& token = generation.result().tokens[static_cast<std::size_t>(t)];
      QVERIFY(std::isfinite(token.loss));
      // Past the context the loss is given the kept half alone, and says so.
      QCOMPARE(token.given.has_value(), t >= context);
      if (token.given) QVERIFY(*token.given >= context / 2 && *token.given < context);
    }
  }
  void drawsFollowTheModelsDistribution() {
    // 2,000 seeds of one token at temperature 1: how many fall into the ids that hold half of the mass. The standard
    // error of a share near 1/2 is 0.011: five of them.
    Fixture fixture;
    std::set<int> likely;
    double mass = 0;
    Batch batch;
    batch.sequences = 1;
    batch.length = 3;
    for (char c : std::string("the")) batch.ids.push_back(c);
    batch.targets = {-1, -1, -1};
    batch.positions = {0, 1, 2};
    batch.domains = {0, 0, 0};
    fixture.model.forward(batch, {.phase = Phase::generation});
    const double* logits = fixture.model.logits().as<double>() + 2 * 256;
    double sum = 0;
    for (int id = 0; id < 256; ++id) sum += std::exp(logits[id]);
    for (int id = 0; id < 256 && mass < 0.5; ++id) likely.insert(id), mass += std::exp(logits[id]) / sum;
    int hits = 0;
    for (std::uint64_t seed = 0; seed < 2000; ++seed) {
      Generation one(fixture.model, *fixture.tokenizer, "the", {.tokens = 1, .temperature = 1, .seed = seed});
      one.advance();
      hits += likely.count(one.result().tokens.back().id) > 0;
    }
    QVERIFY(std::abs(hits / 2000.0 - mass) < 0.056);
  }
};
SWITCHYARD_TEST(TextRoutingTest)
#include "text_routing_test.moc"
