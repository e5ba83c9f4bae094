#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace moe {

/// Byte offset of the first sequence that is not UTF-8 (overlong, surrogate, cut short, above U+10FFFF); nothing where
/// all is valid.
std::optional<std::size_t> firstInvalidUtf8(std::string_view bytes);

/// Byte offset of the first byte no text file holds: a control character other than tab, line feed, form feed, carriage
/// return and escape.
std::optional<std::size_t> firstBinaryByte(std::string_view bytes);

/// The code point that begins at `at` of valid UTF-8; moves `at` behind it. An invalid byte counts as one U+FFFD.
char32_t nextCodePoint(std::string_view utf8, std::size_t& at);

void appendUtf8(std::string& out, char32_t codePoint);

/// Valid UTF-8 for the screen: every byte that belongs to no character becomes U+FFFD.
std::string displayable(std::string_view bytes);

/// A name as people see it, on one line: control characters, marks of direction and bytes that are not UTF-8 escaped ("a\\nb",
/// "\\u202Etxt", "caf\\xE9").
/// Names are data: they are stored and compared as they are, and only shown like this.
std::string shownName(std::string_view bytes);

}  // namespace moe
