#include "core/data/builtin/draws.h"

// Nested elements, each closed by its own name at its own indentation.

namespace moe::builtin {
namespace {

constexpr std::array<Words, 8> kBoxes{"section", "article", "div", "table", "form", "nav", "main", "figure"};
constexpr std::array<Words, 8> kLeaves{"p", "span", "td", "label", "h2", "li", "b", "caption"};
constexpr std::array<Words, 8> kClasses{"wide", "note", "menu", "left", "hidden", "title", "card", "row"};
constexpr std::array<Words, 12> kTexts{"Welcome",   "Read more", "Price list", "Contact us", "Opening hours", "Search",
                                       "Next page", "Our team",  "News",       "Archive",    "Sign in",       "Help"};

void element(Draws& draws, std::string& text, int depth) {
  const std::string indent(static_cast<std::size_t>(2 * depth), ' ');
  const bool box = depth < 3 && (depth == 0 || draws.chance(45));
  const std::string name(box ? draws.pick(kBoxes) : draws.pick(kLeaves));
  std::string attributes;
  if (draws.chance(40)) attributes += join({" class=\"", draws.pick(kClasses), "\""});
  if (draws.chance(20)) attributes += join({" id=\"", name, digits(draws.between(1, 99)), "\""});
  text += join({indent, "<", name, attributes, ">"});
  if (!box) {
    text += join({draws.pick(kTexts), "</", name, ">\n"});
    return;
  }
  text += '\n';
  for (int i = 0, count = draws.between(1, 3); i < count; ++i) element(draws, text, depth + 1);
  text += join({indent, "</", name, ">\n"});
}

}  // namespace

std::string markupPassage(Draws& draws) {
  std::string text;
  element(draws, text, 0);
  return text + '\n';
}

}  // namespace moe::builtin
