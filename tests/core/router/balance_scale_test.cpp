#include "core/router/balance_scale.h"

#include <cmath>

#include "core/router/balance.h"
#include "core/router/pipeline.h"
#include "tests/support/numbers.h"
#include "tests/support/register.h"

using namespace moe;
using Term = Recipe::BalanceTerm;

namespace {

Recipe recipeWith(std::vector<Term> terms) {
  Recipe recipe;
  recipe.experts.count = 4;
  recipe.experts.hidden = {4};
  recipe.select.k = 2;
  recipe.weigh.kind = Recipe::Weigh::Kind::score;
  recipe.balance = std::move(terms);
  return recipe;
}

/// Values of the terms where the tokens' two choices go round all experts evenly, and so do their probabilities.
std::vector<double> valuesAtBalance(const Recipe& recipe) {
  const Tensor logits = test::numbers({4, 4}, {3, 2, 0, 0, 0, 3, 2, 0, 0, 0, 3, 2, 2, 0, 0, 3});
  Routing routing;
  RoutingInput input;
  input.givenLogits = logits;
  routeForward(routing, recipe, input);
  Routing* layers[] = {&routing};
  return finishBalance(layers, recipe).value;
}

}  // namespace

class BalanceScaleTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void perfectBalanceIsOneInEveryConvention() {
    std::vector<Term> terms;
    for (const auto normalisation :
         {Term::Normalisation::unit, Term::Normalisation::perToken, Term::Normalisation::mean})
      for (const auto counts : {Term::Counts::all, Term::Counts::first})
        for (const auto layers : {Term::Layers::separate, Term::Layers::mean, Term::Layers::concatenated})
          terms.push_back({.name = "t", .normalisation = normalisation, .counts = counts, .layers = layers});
    terms.push_back({.name = "d", .kind = Term::Kind::device, .devices = 2});
    terms.push_back({.name = "i", .kind = Term::Kind::importanceCv2});
    const Recipe recipe = recipeWith(terms);
    const std::vector<double> values = valuesAtBalance(recipe);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto scaled = scaledValue(balanceScale(recipe, i, 2), values[i]);
      QVERIFY2(scaled && std::abs(*scaled - 1) < 1e-9,
               qPrintable(QString("term %1: %2").arg(i).arg(scaled.value_or(-1))));
      QVERIFY(!balanceScale(recipe, i, 2).convention.empty());
    }
  }
  void theConventionsStandWhereTheirPapersPutThem() {
    const Recipe recipe =
        recipeWith({{.name = "k", .normalisation = Term::Normalisation::perToken, .layers = Term::Layers::concatenated},
                    {.name = "m", .normalisation = Term::Normalisation::mean},
                    {.name = "b", .layers = Term::Layers::mean}});
    QCOMPARE(balanceScale(recipe, 0, 2).atBalance, 2.0);
    QVERIFY(balanceScale(recipe, 0, 2).convention.find("k times, layers concatenated") != std::string_view::npos);
    QCOMPARE(balanceScale(recipe, 1, 2).atBalance, 2 / 16.0);
    QCOMPARE(balanceScale(recipe, 2, 2).atBalance, 1.0);
    QVERIFY(balanceScale(recipe, 2, 2).convention.find("megablocks") != std::string_view::npos);
  }
  void whatBalancesNothingHasNoPlaceOnTheScale() {
    const Recipe recipe =
        recipeWith({{.name = "z", .kind = Term::Kind::z}, {.name = "h", .kind = Term::Kind::entropy}});
    QVERIFY(!scaledValue(balanceScale(recipe, 0, 2), 3.0));
    QVERIFY(!scaledValue(balanceScale(recipe, 1, 2), 3.0));
  }
};
SWITCHYARD_TEST(BalanceScaleTest)
#include "balance_scale_test.moc"
