#pragma once
#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/tensor/philox.h"

namespace moe::builtin {

/// A sequence of draws in integers only, so that every machine makes the same text.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint32_t domain)
      : key_{.seed = seed, .stream = RandomStream::corpus, .layer = domain} {}

  /// 0 .. n-1
  int below(int n) {
    return static_cast<int>(static_cast<std::uint64_t>(next()) * static_cast<std::uint64_t>(n) >> 32);
  }
  int between(int low, int high) { return low + below(high - low + 1); }
  bool chance(int percent) { return below(100) < percent; }
  template <class T, std::size_t n>
  const T& pick(const std::array<T, n>& list) {
    return list[static_cast<std::size_t>(below(n))];
  }

 private:
  std::uint32_t next() {
    if (at_ % 4 == 0) words_ = randomWords(key_, 0, at_ / 4);
    return words_.word[at_++ % 4];
  }

  RandomKey key_;
  RandomWords words_{};
  std::uint32_t at_ = 0;
};

using Words = std::string_view;

std::string digits(int value);
/// Digits with leading zeros to `width`.
std::string padded(int value, int width);

/// The parts in a row. Braces evaluate from the left, which + does not promise: draws inside keep their order.
std::string join(std::initializer_list<std::string_view> parts);
std::string capitalised(std::string_view text);

// One passage of each kind: a paragraph, a function, a record ..., ending in a line feed.
std::string englishPassage(Draws& draws);
std::string germanPassage(Draws& draws);
std::string arithmeticPassage(Draws& draws);
std::string codePassage(Draws& draws);
std::string jsonPassage(Draws& draws);
std::string recipePassage(Draws& draws);
std::string logPassage(Draws& draws);
std::string dnaPassage(Draws& draws);
std::string musicPassage(Draws& draws);
std::string markupPassage(Draws& draws);

}  // namespace moe::builtin
