#include <nlohmann/json.hpp>

#include "core/router/recipe_json.h"
#include "tests/support/numbers.h"
#include "tests/support/random_routing.h"
#include "tests/support/register.h"

using namespace moe;
using namespace moe::test;

namespace {

/// The recipe as evaluation is said to treat it: no draws, no force, its own factor.
Recipe evaluated(Recipe recipe) {
  recipe.perturb = {};
  recipe.select.force.reset();
  recipe.select.randomSecond.reset();
  if (recipe.capacity.evalFactor) recipe.capacity.factor = recipe.capacity.evalFactor;
  recipe.capacity.evalFactor.reset();
  return recipe;
}

/// And as generation does: capacity is off as well.
Recipe generated(Recipe recipe) {
  recipe = evaluated(std::move(recipe));
  recipe.capacity = {};
  return recipe;
}

Recipe randomPhaseRecipe(Choices& choices) {
  Recipe recipe = randomRecipe(choices);
  recipe.balance.clear();  // terms are of training
  if (recipe.capacity.factor && choices.chance(0.7)) recipe.capacity.evalFactor = 1.7 * *recipe.capacity.factor;
  return recipe;
}

bool same(const Routing& a, const Routing& b) {
  return a.asked == b.asked && a.final == b.final && a.load == b.load && a.dropped == b.dropped &&
         a.skipped == b.skipped && a.capacitySlots == b.capacitySlots &&
         valuesOf(a.askedWeight) == valuesOf(b.askedWeight) && valuesOf(a.finalWeight) == valuesOf(b.finalWeight);
}

void routeIn(RandomRouting& run, Phase phase) {
  run.input.phase = phase;
  run.input.draws = fillDraws(run.buffers, run.recipe(), {.seed = 1, .step = 10, .totalSteps = 100}, phase,
                              RandomRouting::kTokens, RandomRouting::kWidth, DType::f64);
  routeForward(run.routing, run.recipe(), run.input);
}

}  // namespace

/// What evaluation and generation switch off, over random recipes: they route as the recipe that never had it.
class PhaseTest : public QObject {
  Q_OBJECT
 private Q_SLOTS:
  void evaluationRoutesAsTheRecipeWithoutItsDraws() {
    int perturbed = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      Choices choices(seed);
      const Recipe recipe = randomPhaseRecipe(choices);
      RandomRouting run(recipe, seed), plain(evaluated(recipe), seed);
      routeIn(run, Phase::evaluation);
      routeForward(plain.routing, plain.recipe(), plain.input);
      QVERIFY2(same(run.routing, plain.routing), toJson(recipe).dump().c_str());
      perturbed += !(recipe == plain.recipe());
    }
    QVERIFY(perturbed > 150);
  }
  void generationRoutesWithoutCapacityToo() {
    int limited = 0;
    for (std::uint64_t seed = 300; seed < 600; ++seed) {
      Choices choices(seed);
      const Recipe recipe = randomPhaseRecipe(choices);
      // One token at a time these two have rules of their own, tested with the selection.
      if (recipe.select.kind == Recipe::Select::Kind::expertChoice ||
          recipe.select.kind == Recipe::Select::Kind::assignment)
        continue;
      RandomRouting run(recipe, seed), plain(generated(recipe), seed);
      routeIn(run, Phase::generation);
      routeForward(plain.routing, plain.recipe(), plain.input);
      QVERIFY2(same(run.routing, plain.routing), toJson(recipe).dump().c_str());
      QCOMPARE(run.routing.dropped, std::int64_t{0});
      limited += !recipe.capacity.dropless();
    }
    QVERIFY(limited > 80);
  }
  void trainingDoesDraw() {
    // The comparison above would hold for a pipeline that never draws.
    int differs = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      Choices choices(seed);
      const Recipe recipe = randomPhaseRecipe(choices);
      RandomRouting run(recipe, seed), plain(evaluated(recipe), seed);
      run.objective();
      routeForward(plain.routing, plain.recipe(), plain.input);
      differs += !same(run.routing, plain.routing);
    }
    QVERIFY(differs > 50);
  }
};
SWITCHYARD_TEST(PhaseTest)
#include "phase_test.moc"
