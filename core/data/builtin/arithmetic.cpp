#include "core/data/builtin/draws.h"

// Every line is true.

namespace moe::builtin {

std::string arithmeticPassage(Draws& draws) {
  const int a = draws.between(0, 99), b = draws.between(0, 99), small = draws.between(2, 12),
            factor = draws.between(2, 12);
  switch (draws.below(8)) {
    case 0:
    case 1: return digits(a) + " + " + digits(b) + " = " + digits(a + b) + '\n';
    case 2:
    case 3: return digits(a) + " - " + digits(b) + " = " + digits(a - b) + '\n';
    case 4: return digits(small) + " * " + digits(factor) + " = " + digits(small * factor) + '\n';
    case 5: return digits(small * factor) + " / " + digits(small) + " = " + digits(factor) + '\n';
    case 6:
      return '(' + digits(small) + " + " + digits(factor) + ") * " + digits(a % 10) + " = " +
             digits((small + factor) * (a % 10)) + '\n';
    default: return digits(a) + (a < b ? " < " : a > b ? " > " : " = ") + digits(b) + '\n';
  }
}

}  // namespace moe::builtin
