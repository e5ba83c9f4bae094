#include <cmath>
#include <nlohmann/json.hpp>

#include "core/router/recipe_json.h"
#include "tests/support/register.h"
#include "tests/support/routing_gradients.h"

using namespace moe;
using namespace moe::test;

class GradientTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void theWholePipelinesGradientAgreesWithDifferences() {
    int agreed = 0, edges = 0;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
      Choices choices(seed);
      RandomRouting run(randomRecipe(choices), seed);
      run.objective();
      Gradients g = backward(run, run.dAssignment());
      const auto objective = [&] { return run.objective(); };
      const std::pair<Tensor*, Tensor*> pairs[] = {
          {&run.weight, &g.weight}, {&run.bias, &g.bias}, {&run.noiseWeight, &g.noiseWeight}, {&run.x, &g.x}};
      for (const auto& [parameter, gradient] : pairs) {
        const Verdict verdict = check(run, *parameter, *gradient, objective, seed);
        agreed += verdict == Verdict::agrees;
        edges += verdict == Verdict::atAnEdge;
        QVERIFY2(verdict != Verdict::differs, ("seed " + std::to_string(seed) + " tensor " +
                                               std::to_string(parameter - &run.x) + ": " + toJson(run.recipe()).dump())
                                                  .c_str());
      }
    }
    QVERIFY2(edges < agreed / 20, std::to_string(edges).c_str());
  }

  void eachBalanceTermAloneHasItsOwnUnscaledGradient() {
    int agreed = 0;
    for (std::uint64_t seed = 1000; seed < 1200; ++seed) {
      Choices choices(seed);
      RandomRouting run(randomRecipe(choices), seed);
      for (std::size_t i = 0; i < run.recipe().balance.size(); ++i) {
        const auto objective = [&] {
          run.objective();
          return run.routing.balance[i].value;
        };
        objective();
        run.input.balanceGradient = static_cast<int>(i);
        Gradients g = backward(run, {});
        const std::pair<Tensor*, Tensor*> pairs[] = {
            {&run.weight, &g.weight}, {&run.noiseWeight, &g.noiseWeight}, {&run.x, &g.x}};
        for (const auto& [parameter, gradient] : pairs) {
          const Verdict verdict = check(run, *parameter, *gradient, objective, seed);
          QVERIFY2(verdict != Verdict::differs,
                   ("seed " + std::to_string(seed) + " term " + std::to_string(i) + ": " + toJson(run.recipe()).dump())
                       .c_str());
          agreed += verdict == Verdict::agrees;
        }
      }
    }
    QVERIFY(agreed > 300);
  }

  void theLanguageLossAloneAndTheTermsAddUpToTheWhole() {
    for (std::uint64_t seed = 2000; seed < 2100; ++seed) {
      Choices choices(seed);
      RandomRouting run(randomRecipe(choices), seed);
      run.objective();
      const std::vector<double> upstream = run.dAssignment();
      const Gradients whole = backward(run, upstream);
      run.input.balanceGradient = kNoBalanceTerms;
      Gradients sum = backward(run, upstream);
      for (std::size_t i = 0; i < run.recipe().balance.size(); ++i) {
        run.input.balanceGradient = static_cast<int>(i);
        const Gradients term = backward(run, {});
        for (std::int64_t e = 0; e < sum.x.elements(); ++e)
          sum.x.as<double>()[e] += run.recipe().balance[i].coefficient * run.input.lossScale * term.x.as<double>()[e];
      }
      double largest = 1e-6, error = 0;
      for (std::int64_t e = 0; e < sum.x.elements(); ++e) {
        largest = std::max(largest, std::abs(whole.x.as<double>()[e]));
        error = std::max(error, std::abs(whole.x.as<double>()[e] - sum.x.as<double>()[e]));
      }
      QVERIFY2(error <= 1e-12 * largest, ("seed " + std::to_string(seed)).c_str());
    }
  }

  void joinedLayersGradientAgreesWithDifferences() {
    using Term = Recipe::BalanceTerm;
    for (const Term::Layers joined : {Term::Layers::mean, Term::Layers::concatenated})
      for (const Term::Scope scope : {Term::Scope::microBatch, Term::Scope::sequence}) {
        Recipe recipe;
        recipe.experts.count = 6;
        Term& term = recipe.balance.emplace_back();
        term.coefficient = 1;
        term.layers = joined;
        term.scope = scope;
        RandomRouting one(recipe, 1), two(recipe, 2);
        const auto objective = [&] {
          routeForward(one.routing, recipe, one.input);
          routeForward(two.routing, recipe, two.input);
          Routing* const layers[] = {&one.routing, &two.routing};
          return finishBalance(layers, recipe).loss;
        };
        objective();
        one.input.lossScale = two.input.lossScale = 1;
        for (RandomRouting* run : {&one, &two}) {
          objective();
          Gradients g = backward(*run, {});
          QVERIFY(check(*run, run->weight, g.weight, objective, 5) == Verdict::agrees);
        }
      }
  }

  void theGradientIsAddedToWhatIsThere() {
    Recipe recipe;
    recipe.experts.count = 4;
    RandomRouting run(recipe, 3);
    run.objective();
    const std::vector<double> upstream = run.dAssignment();
    Gradients once = backward(run, upstream);
    Tensor dx = hostTensor(run.x.shape(), DType::f64), dw = hostTensor(run.weight.shape(), DType::f64);
    for (double& v : dx.span<double>()) v = 3;
    for (double& v : dw.span<double>()) v = 5;
    routeBackward({dw, {}, {}}, dx, run.routing, run.recipe(), run.input, upstream);
    for (std::int64_t i = 0; i < dx.elements(); ++i)
      QVERIFY(std::abs(dx.as<double>()[i] - 3 - once.x.as<double>()[i]) < 1e-14);
    for (std::int64_t i = 0; i < dw.elements(); ++i)
      QVERIFY(std::abs(dw.as<double>()[i] - 5 - once.weight.as<double>()[i]) < 1e-14);
  }

  void singlePrecisionFollowsDouble() {
    int compared = 0;
    for (std::uint64_t seed = 3000; seed < 3100; ++seed) {
      Choices choices(seed);
      const Recipe recipe = randomRecipe(choices);
      RandomRouting exact(recipe, seed), single(recipe, seed, DType::f32);
      routeForward(exact.routing, recipe, exact.input);
      routeForward(single.routing, recipe, single.input);
      // Rounding may turn a near tie; the weights are comparable where the sets agree.
      if (!(setsOf(exact.routing) == setsOf(single.routing))) continue;
      const std::vector<double> upstream = exact.dAssignment();
      Tensor dx64 = hostTensor(exact.x.shape(), DType::f64), dx32 = hostTensor(exact.x.shape(), DType::f32);
      routeBackward({}, dx64, exact.routing, recipe, exact.input, upstream);
      routeBackward({}, dx32, single.routing, recipe, single.input, upstream);
      // Terms of size 1 cancel where a weight is renormalised over one survivor: errors are relative to at least those.
      double size = 1, error = 0;
      for (std::int64_t i = 0; i < dx64.elements(); ++i) {
        size = std::max(size, std::abs(dx64.as<double>()[i]));
        error = std::max(error, std::abs(dx64.as<double>()[i] - static_cast<double>(dx32.as<float>()[i])));
      }
      // 2^-24 a rounding, some fifty of them one after another between x and dx.
      QVERIFY2(error <= 1e-5 * size, ("seed " + std::to_string(seed) + ": " + std::to_string(error / size * 1e5) +
                                      " of 1e-5 " + toJson(recipe).dump())
                                         .c_str());
      ++compared;
    }
    QVERIFY(compared > 80);
  }
};
SWITCHYARD_TEST(GradientTest)
#include "gradient_test.moc"
