#include "core/data/builtin/draws.h"

// Articles follow gender and case, the verb stands second (or last in a subordinate clause).

namespace moe::builtin {
namespace {

enum Gender { der, die, das };
struct Noun {
  Gender gender;
  Words noun, accusative;
};
constexpr std::array<Noun, 20> kAgents{
    {{der, "Bäcker", "Bäcker"},       {die, "Lehrerin", "Lehrerin"},     {das, "Mädchen", "Mädchen"},
     {der, "Junge", "Jungen"},        {die, "Großmutter", "Großmutter"}, {der, "Bauer", "Bauern"},
     {das, "Kind", "Kind"},           {die, "Ärztin", "Ärztin"},         {der, "Müller", "Müller"},
     {der, "Nachbar", "Nachbarn"},    {die, "Königin", "Königin"},       {der, "Fuchs", "Fuchs"},
     {die, "Katze", "Katze"},         {das, "Pferd", "Pferd"},           {der, "Schüler", "Schüler"},
     {die, "Schwester", "Schwester"}, {der, "Gärtner", "Gärtner"},       {das, "Huhn", "Huhn"},
     {die, "Köchin", "Köchin"},       {der, "Schäfer", "Schäfer"}}};
constexpr std::array<Noun, 20> kThings{{{der, "Schlüssel", "Schlüssel"}, {die, "Tür", "Tür"},
                                        {das, "Brot", "Brot"},           {der, "Apfel", "Apfel"},
                                        {die, "Laterne", "Laterne"},     {das, "Buch", "Buch"},
                                        {der, "Brief", "Brief"},         {die, "Brücke", "Brücke"},
                                        {das, "Fenster", "Fenster"},     {der, "Mantel", "Mantel"},
                                        {die, "Schüssel", "Schüssel"},   {das, "Boot", "Boot"},
                                        {der, "Löffel", "Löffel"},       {die, "Geschichte", "Geschichte"},
                                        {das, "Messer", "Messer"},       {der, "Korb", "Korb"},
                                        {die, "Kerze", "Kerze"},         {das, "Bild", "Bild"},
                                        {der, "Ring", "Ring"},           {die, "Uhr", "Uhr"}}};
constexpr std::array<Words, 16> kVerbs{"sucht",    "findet", "trägt",  "verkauft", "öffnet", "vergisst",
                                       "holt",     "bringt", "kauft",  "zeigt",    "behält", "verliert",
                                       "schließt", "malt",   "wäscht", "versteckt"};
constexpr std::array<Words, 12> kPlaces{"im Wald",      "auf dem Markt",     "hinter der Mühle", "am Fluss",
                                        "in der Küche", "vor dem Haus",      "unter der Brücke", "im Garten",
                                        "auf dem Feld", "neben dem Brunnen", "in der Stadt",     "bei der Kirche"};
constexpr std::array<Words, 10> kTimes{"heute",    "am Morgen",  "jeden Abend", "im Winter",       "nach dem Regen",
                                       "manchmal", "am Sonntag", "im Frühling", "vor langer Zeit", "zur Mittagszeit"};
constexpr std::array<Words, 4> kConjunctions{"weil", "obwohl", "während", "sobald"};
constexpr std::array<Words, 8> kAdjectives{"alte", "kleine", "große", "müde", "schöne", "kluge", "junge", "fröhliche"};

constexpr std::array<Words, 3> kNominative{"der ", "die ", "das "}, kAccusative{"den ", "die ", "das "},
    kIndefiniteAccusative{"einen ", "eine ", "ein "};

std::string subject(Draws& draws, const Noun& noun) {
  const bool plain = draws.chance(70);
  return join({kNominative[noun.gender], plain ? "" : draws.pick(kAdjectives), plain ? "" : " ", noun.noun});
}

std::string object(Draws& draws) {
  const Noun& noun = draws.chance(80) ? draws.pick(kThings) : draws.pick(kAgents);
  return join({draws.chance(60) ? kAccusative[noun.gender] : kIndefiniteAccusative[noun.gender], noun.accusative});
}

}  // namespace

std::string germanPassage(Draws& draws) {
  const Noun& hero = draws.pick(kAgents);
  std::string text;
  for (int sentences = draws.between(4, 7), i = 0; i < sentences; ++i) {
    const Noun& who = draws.chance(60) ? hero : draws.pick(kAgents);
    const Words verb = draws.pick(kVerbs);
    std::string sentence;
    if (draws.chance(45))  // the verb stays second: time, verb, subject
      sentence = join({draws.pick(kTimes), " ", verb, " ", subject(draws, who), " ", object(draws)});
    else
      sentence = join({subject(draws, who), " ", verb, " ", object(draws)});
    if (draws.chance(50)) sentence += join({" ", draws.pick(kPlaces)});
    if (draws.chance(30)) {
      const Words conjunction = draws.pick(kConjunctions);
      const Noun& other = draws.pick(kAgents);
      sentence += join({", ", conjunction, " ", subject(draws, other), " ", object(draws), " ", draws.pick(kVerbs)});
    }
    text += join({i > 0 ? " " : "", capitalised(sentence), "."});
  }
  return text + "\n\n";
}

}  // namespace moe::builtin
