#include "core/data/builtin_corpus.h"

#include <iterator>

#include "core/data/builtin/draws.h"

namespace moe {
namespace {

constexpr std::size_t kBytesPerDomain = 30'000;

struct Kind {
  const char* name;
  std::string (*passage)(builtin::Draws&);
};

// A domain's draws are keyed by its place here: append only.
constexpr Kind kKinds[] = {
    {"english", builtin::englishPassage},
    {"german", builtin::germanPassage},
    {"arithmetic", builtin::arithmeticPassage},
    {"code", builtin::codePassage},
    {"json", builtin::jsonPassage},
    {"recipes", builtin::recipePassage},
    {"logs", builtin::logPassage},
    {"dna", builtin::dnaPassage},
    {"music", builtin::musicPassage},
    {"markup", builtin::markupPassage},
};

}  // namespace

std::int64_t builtinBytes() { return static_cast<std::int64_t>(std::size(kKinds) * kBytesPerDomain); }

std::vector<LabelledText> builtinDomains(std::uint64_t seed) {
  std::vector<LabelledText> domains;
  for (const Kind& kind : kKinds) {
    builtin::Draws draws(seed, static_cast<std::uint32_t>(domains.size()));
    LabelledText& domain = domains.emplace_back();
    domain.name = kind.name;
    while (domain.text.size() < kBytesPerDomain) domain.text += kind.passage(draws);
  }
  return domains;
}

}  // namespace moe
