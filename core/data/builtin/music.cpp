#include "core/data/builtin/draws.h"

// A tune in letter notation: bars of four beats each, steps of a scale, the second line repeats the first with another end.

namespace moe::builtin {
namespace {

constexpr std::array<Words, 8> kForms{"Reel", "Jig", "March", "Waltz", "Polka", "Air", "Hornpipe", "Lullaby"};
constexpr std::array<Words, 8> kAdjectives{"Green", "Merry", "Lonely", "Silver", "Old", "Windy", "Golden", "Quiet"};
constexpr std::array<Words, 5> kKeys{"G", "D", "C", "Am", "Em"};
constexpr std::array<Words, 14> kScale{"C", "D", "E", "F", "G", "A", "B", "c", "d", "e", "f", "g", "a", "b"};

std::string bar(Draws& draws, int& pitch) {
  std::string text;
  for (int beats = 0; beats < 8;) {
    const int length = beats % 2 == 0 && beats <= 6 && draws.chance(35) ? 2 : 1;
    pitch += draws.between(-2, 2);
    pitch = pitch < 0 ? 1 : pitch > 13 ? 12 : pitch;
    text += join({kScale[static_cast<std::size_t>(pitch)], length == 2 ? "2" : ""});
    beats += length;
    if (beats == 4) text += ' ';
  }
  return text;
}

}  // namespace

std::string musicPassage(Draws& draws) {
  std::string text = join({"X:", digits(draws.between(1, 500)), "\nT:The ", draws.pick(kAdjectives), " ",
                           draws.pick(kForms), "\nM:4/4\nL:1/8\nK:", draws.pick(kKeys), "\n"});
  for (int part = 0; part < 2; ++part) {
    int pitch = draws.between(3, 9);
    std::string theme = "|:";
    for (int i = 0; i < 3; ++i) theme += bar(draws, pitch) + '|';
    for (int repeat = 0; repeat < 2; ++repeat) {
      int end = pitch;
      text += join({theme, bar(draws, end), ":|\n"});
    }
  }
  return text + '\n';
}

}  // namespace moe::builtin
