#include "core/data/builtin/draws.h"

// Subject and verb agree in number, "a" becomes "an" before a vowel, a sentence may carry a clause; one paragraph keeps
// to one subject and place.

namespace moe::builtin {
namespace {

struct Noun {
  Words one, many;
};
constexpr std::array<Noun, 24> kAgents{
    {{"farmer", "farmers"},       {"teacher", "teachers"},    {"child", "children"},     {"sailor", "sailors"},
     {"engineer", "engineers"},   {"old woman", "old women"}, {"baker", "bakers"},       {"doctor", "doctors"},
     {"traveller", "travellers"}, {"student", "students"},    {"gardener", "gardeners"}, {"painter", "painters"},
     {"neighbour", "neighbours"}, {"miller", "millers"},      {"soldier", "soldiers"},   {"librarian", "librarians"},
     {"fisherman", "fishermen"},  {"shepherd", "shepherds"},  {"driver", "drivers"},     {"singer", "singers"},
     {"carpenter", "carpenters"}, {"uncle", "uncles"},        {"postman", "postmen"},    {"stranger", "strangers"}}};
constexpr std::array<Noun, 24> kThings{{{"letter", "letters"},
                                        {"apple", "apples"},
                                        {"lamp", "lamps"},
                                        {"basket", "baskets"},
                                        {"map", "maps"},
                                        {"old book", "old books"},
                                        {"wooden box", "wooden boxes"},
                                        {"umbrella", "umbrellas"},
                                        {"knife", "knives"},
                                        {"rope", "ropes"},
                                        {"engine", "engines"},
                                        {"white horse", "white horses"},
                                        {"coat", "coats"},
                                        {"key", "keys"},
                                        {"egg", "eggs"},
                                        {"clock", "clocks"},
                                        {"red flag", "red flags"},
                                        {"boat", "boats"},
                                        {"story", "stories"},
                                        {"loaf", "loaves"},
                                        {"candle", "candles"},
                                        {"picture", "pictures"},
                                        {"orange", "oranges"},
                                        {"window", "windows"}}};
struct Verb {
  Words one, many, past;
};
constexpr std::array<Verb, 16> kVerbs{{{"carries", "carry", "carried"},
                                       {"finds", "find", "found"},
                                       {"sells", "sell", "sold"},
                                       {"watches", "watch", "watched"},
                                       {"hides", "hide", "hid"},
                                       {"mends", "mend", "mended"},
                                       {"paints", "paint", "painted"},
                                       {"forgets", "forget", "forgot"},
                                       {"brings", "bring", "brought"},
                                       {"keeps", "keep", "kept"},
                                       {"loses", "lose", "lost"},
                                       {"remembers", "remember", "remembered"},
                                       {"buys", "buy", "bought"},
                                       {"opens", "open", "opened"},
                                       {"wants", "want", "wanted"},
                                       {"takes", "take", "took"}}};
constexpr std::array<Words, 16> kPlaces{"in the village",   "near the river",   "behind the church", "at the market",
                                        "on the hill",      "under the bridge", "in the kitchen",    "along the road",
                                        "by the sea",       "at the station",   "in the old house",  "beside the well",
                                        "across the field", "at the harbour",   "in the garden",     "on the island"};
constexpr std::array<Words, 12> kTimes{
    "in the morning",   "every evening", "after the rain", "before winter",         "last year",  "at noon",
    "during the storm", "on Sunday",     "for many years", "at the end of the day", "once again", "in the spring"};
constexpr std::array<Words, 10> kReasons{
    "because the weather is cold", "because nobody else can",    "although it is late",     "when the bells ring",
    "as soon as the sun rises",    "while the others sleep",     "if there is enough time", "until the snow melts",
    "so that everyone may see",    "before the doors are closed"};

std::string withArticle(Words noun) { return join({Words("aeiou").find(noun[0]) != Words::npos ? "an " : "a ", noun}); }

std::string object(Draws& draws) {
  const Noun& thing = draws.pick(kThings);
  switch (draws.below(4)) {
    case 0: return withArticle(thing.one);
    case 1: return join({"the ", thing.one});
    case 2: return join({"many ", thing.many});
    default: return join({"the ", thing.many});
  }
}

}  // namespace

std::string englishPassage(Draws& draws) {
  const Noun& hero = draws.pick(kAgents);
  const Words place = draws.pick(kPlaces);
  std::string text;
  for (int sentences = draws.between(4, 7), i = 0; i < sentences; ++i) {
    const bool many = i > 0 && draws.chance(40);
    const std::string subject =
        i == 0 ? withArticle(hero.one) : join({"the ", many ? draws.pick(kAgents).many : hero.one});
    const Verb& verb = draws.pick(kVerbs);
    std::string sentence = join({subject, " ", i == 0 ? verb.past : many ? verb.many : verb.one, " ", object(draws)});
    if (i == 0 || draws.chance(30)) sentence += join({" ", place});
    if (draws.chance(40))
      sentence += join({" ", draws.pick(kTimes)});
    else if (i > 0 && draws.chance(50))
      sentence += join({", ", draws.pick(kReasons)});
    text += join({i > 0 ? " " : "", capitalised(sentence), "."});
  }
  return text + "\n\n";
}

}  // namespace moe::builtin
