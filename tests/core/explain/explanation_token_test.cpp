#include "core/explain/explanation_token.h"

#include <cmath>

#include "tests/support/register.h"

using namespace moe;

namespace {

#define SAYS(text, part) QVERIFY2((text).find(part) != std::string::npos, (text).c_str())

/// Softmax of 2, 1, 0, -1 over four experts; the first two are chosen.
TokenLayerRouting layerOf() {
  TokenLayerRouting layer;
  layer.layer = 1;
  layer.experts = {0, 1};
  layer.logits = {2, 1, 0, -1};
  double total = 0;
  for (const float z : layer.logits) total += std::exp(static_cast<double>(z));
  for (const float z : layer.logits)
    layer.probabilities.push_back(static_cast<float>(std::exp(static_cast<double>(z)) / total));
  layer.ranking = layer.probabilities;
  const float chosen = layer.probabilities[0] + layer.probabilities[1];
  layer.weights = {layer.probabilities[0] / chosen, layer.probabilities[1] / chosen};
  layer.margin = layer.probabilities[1] - layer.probabilities[2];
  return layer;
}

Explanation of(const std::vector<TokenExplanation>& all, TokenQuantity quantity, int expert = -1) {
  for (const TokenExplanation& one : all)
    if (one.quantity == quantity && one.expert == expert) return one.text;
  return {};
}

}  // namespace

class ExplanationTokenTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void everyNumberOfATokenIsSubstituted() {
    RouterFacts facts;
    facts.ranking = "r = s";
    const auto all = explainToken(layerOf(), 120, &facts);
    QCOMPARE(all.size(), std::size_t{2 + 1 + 1 + 4});
    SAYS(of(all, TokenQuantity::weight, 0).name, "Weight of expert 0, layer 1, step 120");
    SAYS(of(all, TokenQuantity::weight, 0).values, "0.644 / (0.644 + 0.237) = 0.731");
    SAYS(of(all, TokenQuantity::margin).values, "0.237 (expert 1) \u2212 0.0871 (expert 2) = 0.15");
    SAYS(of(all, TokenQuantity::margin).formula, "r = s");
    SAYS(of(all, TokenQuantity::entropy).values, "= 0.948 nats of at most log 4 = 1.39 nats");
    SAYS(of(all, TokenQuantity::score, 2).values, "e^0 / (e^2 + e^1 + e^0 + e^-1) = 1 / 11.5 = 0.0871");
  }
  void aWeightFollowsTheRecipesOwnRule() {
    TokenLayerRouting layer = layerOf();
    RouterFacts facts;
    facts.weight = RouterFacts::Weight::softmaxSelected;
    SAYS(of(explainToken(layer, 1, &facts), TokenQuantity::weight, 1).values,
         "e^1 / (e^2 + e^1) = 2.72 / 10.1 = 0.269");
    facts.weight = RouterFacts::Weight::score;
    facts.scale = 2.5;
    layer.weights = {2.5f * layer.probabilities[0], 2.5f * layer.probabilities[1]};
    SAYS(of(explainToken(layer, 1, &facts), TokenQuantity::weight, 1).values, "0.237 \u00b7 2.5 = 0.592");
    // Weighed anew over a set that capacity changed: no sum is shown that does not give the number.
    layer.weights[1] = 0.9f;
    QCOMPARE(of(explainToken(layer, 1, &facts), TokenQuantity::weight, 1).values, std::string("= 0.9"));
    layer.weights[1] = 0;
    SAYS(of(explainToken(layer, 1, &facts), TokenQuantity::weight, 1).values, "refused");
  }
  void largeLogitsAreMovedTogetherBeforeTheyAreRaised() {
    TokenLayerRouting layer = layerOf();
    for (float& z : layer.logits) z += 500;
    RouterFacts facts;
    SAYS(of(explainToken(layer, 1, &facts), TokenQuantity::score, 0).values, "e^(502 \u2212 502)");
    SAYS(of(explainToken(layer, 1, &facts), TokenQuantity::score, 0).values, "= 1 / 1.55 = 0.644");
  }
  void aRouterThatIsNotKnownStillShowsItsNumbers() {
    const auto all = explainToken(layerOf(), 1, nullptr);
    QCOMPARE(of(all, TokenQuantity::weight, 0).values, std::string("= 0.731"));
    for (const TokenExplanation& one : all) QVERIFY(!one.text.formula.empty() && !one.text.meaning.empty());
  }
  void scoresThatAreNoSharesHaveNoEntropy() {
    TokenLayerRouting layer = layerOf();
    layer.probabilities[3] = -0.5f;
    QVERIFY(!tokenEntropy(layer));
    layer.probabilities.clear();
    QVERIFY(!tokenEntropy(layer));
    TokenLayerRouting hashed;
    hashed.experts = {3};
    hashed.weights = {1};
    QVERIFY(explainToken(hashed, 1, nullptr).size() == 1);  // hash: nothing is scored
  }
  void theLossSaysTheProbability() {
    TokenRouting token;
    token.text = "b";
    token.loss = 3.34;
    SAYS(explainTokenLoss(token, 5).values, "\u2212log 0.0354 = 3.34 nats = 4.82 bits");
    token.loss = NAN;
    SAYS(explainTokenLoss(token, 5).values, "nothing stands before it");
  }
};
SWITCHYARD_TEST(ExplanationTokenTest)
#include "explanation_token_test.moc"
