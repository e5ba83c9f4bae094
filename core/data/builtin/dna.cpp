#include <algorithm>

#include "core/data/builtin/draws.h"

// A gene a passage: start codon, codons with a skewed usage, stop codon; then its reverse complement. Lines of 60 bases.

namespace moe::builtin {
namespace {

constexpr std::array<Words, 24> kCodons{"GCC", "GCC", "AAG", "AAG", "CTG", "CTG", "CTG", "GAG",
                                        "GAG", "GAT", "ATC", "ATC", "GTG", "GTG", "ACC", "TTC",
                                        "GGC", "GGC", "CAG", "AAC", "TCC", "CGC", "TAC", "CAC"};
constexpr std::array<Words, 3> kStops{"TAA", "TAG", "TGA"};

char complement(char base) {
  switch (base) {
    case 'A': return 'T';
    case 'T': return 'A';
    case 'C': return 'G';
    default: return 'C';
  }
}

std::string inLines(const std::string& bases) {
  std::string text;
  for (std::size_t at = 0; at < bases.size(); at += 60) text += bases.substr(at, 60) + '\n';
  return text;
}

}  // namespace

std::string dnaPassage(Draws& draws) {
  std::string gene = "ATG";
  const std::string motif = join({draws.pick(kCodons), draws.pick(kCodons), draws.pick(kCodons)});
  for (int i = 0, codons = draws.between(25, 45); i < codons; ++i)
    gene += draws.chance(15) ? Words(motif) : draws.pick(kCodons);
  gene += draws.pick(kStops);
  std::string reverse(gene.rbegin(), gene.rend());
  std::transform(reverse.begin(), reverse.end(), reverse.begin(), complement);
  const std::string number = digits(draws.between(1, 999));
  return join({">gene", number, " len=", std::to_string(gene.size()), "\n", inLines(gene), ">gene", number,
               " reverse\n", inLines(reverse)});
}

}  // namespace moe::builtin
