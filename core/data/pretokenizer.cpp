#include "core/data/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cassert>
#include <new>

namespace moe {
namespace {

// Lengths are capped so that a text without spaces cannot make one endless word.
constexpr std::string_view kPattern =
    R"( ?[\p{L}\p{M}]{1,64}| ?\p{N}{1,3}| ?[^\s\p{L}\p{M}\p{N}]{1,16}|\n{1,16}|[^\S\n]{1,64})";

}  // namespace

struct Pretokenizer::Pattern {
  pcre2_code* code = nullptr;
  ~Pattern() { pcre2_code_free(code); }
};

Pretokenizer::Pretokenizer() {
  auto pattern = std::make_unique<Pattern>();
  int error = 0;
  PCRE2_SIZE offset = 0;
  // Bytes that are no UTF-8 match nothing; split() passes them through one by one.
  pattern->code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(kPattern.data()), kPattern.size(),
                                PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &error, &offset, nullptr);
  assert(pattern->code != nullptr);
  pcre2_jit_compile(pattern->code, PCRE2_JIT_COMPLETE);  // where there is no JIT the interpreter does the same
  pattern_ = std::move(pattern);
}

Pretokenizer::~Pretokenizer() = default;

void Pretokenizer::split(std::string_view utf8, const std::function<void(std::string_view)>& take) const {
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match(
      pcre2_match_data_create_from_pattern(pattern_->code, nullptr), pcre2_match_data_free);
  if (match == nullptr) throw std::bad_alloc();
  std::size_t at = 0;
  while (at < utf8.size()) {
    const int found = pcre2_match(pattern_->code, reinterpret_cast<PCRE2_SPTR>(utf8.data()), utf8.size(), at, 0,
                                  match.get(), nullptr);
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
    const std::size_t begin = found > 0 ? bounds[0] : utf8.size();
    while (at < begin) take(utf8.substr(at++, 1));
    if (found <= 0) break;
    take(utf8.substr(begin, bounds[1] - begin));
    at = bounds[1];
  }
}

}  // namespace moe
