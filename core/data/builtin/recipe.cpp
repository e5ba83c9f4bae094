#include <vector>

#include "core/data/builtin/draws.h"

// A recipe in note form: the steps use the ingredients of the list, in its order.

namespace moe::builtin {
namespace {

struct Ingredient {
  Words name, unit;
  int most;  // in steps of `step`
  int step;
};
constexpr std::array<Ingredient, 20> kIngredients{
    {{"flour", "g", 20, 25},      {"sugar", "g", 12, 10},     {"butter", "g", 10, 25},   {"milk", "ml", 8, 50},
     {"eggs", "pcs", 6, 1},       {"rice", "g", 10, 50},      {"onions", "pcs", 4, 1},   {"carrots", "pcs", 5, 1},
     {"olive oil", "tbsp", 4, 1}, {"salt", "tsp", 2, 1},      {"pepper", "tsp", 2, 1},   {"cream", "ml", 6, 50},
     {"honey", "tbsp", 5, 1},     {"lentils", "g", 8, 50},    {"tomatoes", "pcs", 8, 1}, {"garlic", "cloves", 4, 1},
     {"cheese", "g", 10, 20},     {"potatoes", "g", 12, 100}, {"yeast", "g", 4, 5},      {"walnuts", "g", 8, 25}}};
constexpr std::array<Words, 10> kDishes{"soup",  "cake",     "stew",   "bread",    "pie",
                                        "salad", "pancakes", "gratin", "porridge", "dumplings"};
constexpr std::array<Words, 8> kStyles{"Grandmother's", "Quick", "Sunday", "Winter",
                                       "Country",       "Sweet", "Simple", "Festive"};
constexpr std::array<Words, 8> kSteps{"chop", "stir in", "melt", "add", "fold in", "whisk", "boil", "fry"};
constexpr std::array<Words, 4> kEnds{"bake", "simmer", "rest", "chill"};

}  // namespace

std::string recipePassage(Draws& draws) {
  const Words dish = draws.pick(kDishes);
  std::string text = join({"# ", draws.pick(kStyles), " ", dish, " (serves ", digits(draws.between(2, 8)), ")\n"});
  std::vector<Ingredient> used;
  for (int i = 0, count = draws.between(3, 5), at = draws.below(20); i < count;
       ++i, at = (at + draws.between(1, 4)) % 20) {
    used.push_back(kIngredients[static_cast<std::size_t>(at)]);
    text += join({"- ", digits(draws.between(1, used.back().most) * used.back().step), " ", used.back().unit, " ",
                  used.back().name, "\n"});
  }
  int number = 0;
  for (const Ingredient& ingredient : used)
    text += join({digits(++number), ". ", draws.pick(kSteps), " the ", ingredient.name,
                  draws.chance(40) ? join({", ", digits(draws.between(1, 9)), " min"}) : std::string(), "\n"});
  return join({text, digits(++number), ". ", draws.pick(kEnds), " the ", dish, " ", digits(draws.between(2, 12) * 5),
               " min at ", digits(draws.between(6, 11) * 20), " C\n\n"});
}

}  // namespace moe::builtin
