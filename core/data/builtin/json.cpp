#include "core/data/builtin/draws.h"

// One record a line; ids and totals agree with what they count.

namespace moe::builtin {
namespace {

constexpr std::array<Words, 16> kNames{"Ada",  "Bela",  "Chen", "Dora", "Emil", "Farid", "Greta", "Hugo",
                                       "Ines", "Jonas", "Kira", "Lars", "Mona", "Nils",  "Olga",  "Pavel"};
constexpr std::array<Words, 10> kCities{"Lima",  "Oslo",  "Riga",  "Porto", "Turin",
                                        "Quito", "Basel", "Kyoto", "Accra", "Delft"};
constexpr std::array<Words, 10> kGoods{"bolt",  "hinge",  "lens",  "cable",  "panel",
                                       "valve", "spring", "wheel", "filter", "switch"};

}  // namespace

std::string jsonPassage(Draws& draws) {
  std::string text = join({"{\"id\": ", digits(draws.between(1000, 9999)), ", "});
  if (draws.chance(50)) {
    text +=
        join({"\"user\": {\"name\": \"", draws.pick(kNames), "\", \"city\": \"", draws.pick(kCities),
              "\", \"age\": ", digits(draws.between(18, 80)), "}, \"active\": ", draws.chance(70) ? "true" : "false"});
  } else {
    int total = 0;
    text += "\"items\": [";
    for (int i = 0, count = draws.between(1, 3); i < count; ++i) {
      const int price = draws.between(1, 40), pieces = draws.between(1, 5);
      total += price * pieces;
      text += join({i > 0 ? ", " : "", "{\"sku\": \"", draws.pick(kGoods), "\", \"price\": ", digits(price),
                    ", \"count\": ", digits(pieces), "}"});
    }
    text += join({"], \"total\": ", digits(total)});
  }
  return join({text, ", \"tags\": [", draws.chance(50) ? "\"new\"" : "\"old\", \"paid\"", "]}\n"});
}

}  // namespace moe::builtin
