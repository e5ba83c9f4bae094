#include "core/data/builtin/draws.h"

// Small functions whose names, arguments and indentation agree: what is declared above is used below.

namespace moe::builtin {
namespace {

constexpr std::array<Words, 12> kActions{"count", "find",  "sum",  "copy",   "merge", "scale",
                                         "print", "clear", "sort", "filter", "load",  "store"};
constexpr std::array<Words, 12> kObjects{"items", "values", "nodes",   "pixels", "lines", "words",
                                         "rows",  "edges",  "samples", "tokens", "keys",  "bits"};
constexpr std::array<Words, 8> kArguments{"list", "table", "buffer", "queue", "graph", "matrix", "stack", "input"};
constexpr std::array<Words, 8> kLocals{"total", "result", "index", "best", "left", "offset", "width", "limit"};
constexpr std::array<Words, 5> kComparisons{"<", ">", "==", "!=", "<="};
constexpr std::array<Words, 4> kOperators{"+", "-", "*", "%"};

}  // namespace

std::string codePassage(Draws& draws) {
  const std::string name = join({draws.pick(kActions), "_", draws.pick(kObjects)});
  const std::string argument(draws.pick(kArguments)), local(draws.pick(kLocals));
  const std::string element = argument + "[i]";
  std::string text = join({"def ", name, "(", argument, "):\n    ", local, " = ", digits(draws.below(10)),
                           "\n    for i in range(len(", argument, ")):\n"});
  if (draws.chance(60))
    text += join({"        if ", element, " ", draws.pick(kComparisons), " ",
                  draws.chance(50) ? local : digits(draws.below(100)), ":\n            ", local, " = ", local, " ",
                  draws.pick(kOperators), " ", element, "\n"});
  else
    text +=
        join({"        ", local, " += ", element, " ", draws.pick(kOperators), " ", digits(draws.between(1, 9)), "\n"});
  if (draws.chance(35))
    text += join(
        {"    while ", local, " > ", digits(draws.between(10, 99)), ":\n        ", local, " = ", local, " // 2\n"});
  if (draws.chance(30)) text += join({"    print(\"", name, "\", ", local, ")\n"});
  return join({text, "    return ", local, "\n\n"});
}

}  // namespace moe::builtin
