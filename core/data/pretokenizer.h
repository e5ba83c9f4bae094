#pragma once
#include <functional>
#include <memory>
#include <string_view>

namespace moe {

/// Cuts text into the pieces that merges may not cross: a word, up to three digits or a run of punctuation, each with the
/// space before it; line feeds; other white space. The pieces together are the text. May be used from several threads.
class Pretokenizer {
 public:
  Pretokenizer();
  ~Pretokenizer();
  void split(std::string_view utf8, const std::function<void(std::string_view)>& take) const;
  /// Names the pattern in saved tokenizers: a changed pattern gets another name.
  static constexpr const char* kName = "words-1";

 private:
  struct Pattern;
  std::unique_ptr<const Pattern> pattern_;
};

}  // namespace moe
