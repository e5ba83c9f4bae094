#include "core/base/utf8.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdio>

namespace moe {
namespace {

/// Length of the code point at `at`, and the code point; 0 where it is invalid.
std::size_t decodeAt(std::string_view bytes, std::size_t at, char32_t& codePoint) {
  utf8proc_int32_t decoded = 0;
  const auto* begin = reinterpret_cast<const utf8proc_uint8_t*>(bytes.data()) + at;
  const utf8proc_ssize_t length = utf8proc_iterate(begin, static_cast<utf8proc_ssize_t>(bytes.size() - at), &decoded);
  if (length <= 0) return 0;
  codePoint = static_cast<char32_t>(decoded);
  return static_cast<std::size_t>(length);
}

/// Invisible, and turns what stands around it, or breaks the line.
bool movesText(char32_t codePoint) {
  return codePoint == 0x200E || codePoint == 0x200F || (codePoint >= 0x2028 && codePoint <= 0x202E) ||
         (codePoint >= 0x2066 && codePoint <= 0x2069) || codePoint == 0x061C || codePoint == 0xFEFF;
}

}  // namespace

std::optional<std::size_t> firstInvalidUtf8(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    if (static_cast<unsigned char>(bytes[at]) < 0x80) {
      ++at;
      continue;
    }
    char32_t codePoint = 0;
    const std::size_t length = decodeAt(bytes, at, codePoint);
    if (length == 0) return at;
    at += length;
  }
  return std::nullopt;
}

std::optional<std::size_t> firstBinaryByte(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    const auto byte = static_cast<unsigned char>(bytes[at]);
    if (byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\f' && byte != '\r' && byte != 0x1b) return at;
  }
  return std::nullopt;
}

char32_t nextCodePoint(std::string_view utf8, std::size_t& at) {
  char32_t codePoint = 0xFFFD;
  const std::size_t length = decodeAt(utf8, at, codePoint);
  at += length == 0 ? 1 : length;
  return codePoint;
}

void appendUtf8(std::string& out, char32_t codePoint) {
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(codePoint), bytes);
  out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
}

std::string displayable(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  for (std::size_t at = 0; at < bytes.size();) appendUtf8(out, nextCodePoint(bytes, at));
  return out;
}

std::string shownName(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  const auto escape = [&out](char byte) {
    switch (byte) {
      case '\n': out += "\\n"; return;
      case '\r': out += "\\r"; return;
      case '\t': out += "\\t"; return;
      default: break;
    }
    constexpr char kDigits[] = "0123456789ABCDEF";
    const auto value = static_cast<unsigned char>(byte);
    out += {'\\', 'x', kDigits[value >> 4], kDigits[value & 15]};
  };
  for (std::size_t at = 0; at < bytes.size();) {
    char32_t codePoint = 0;
    const std::size_t length = decodeAt(bytes, at, codePoint);
    const bool control = codePoint < 0x20 || (codePoint >= 0x7F && codePoint < 0xA0);
    if (length > 0 && movesText(codePoint)) {
      char text[8];
      std::snprintf(text, sizeof text, "\\u%04X", static_cast<unsigned>(codePoint));
      out += text;
      at += length;
      continue;
    }
    if (length > 0 && !control) {
      out.append(bytes.substr(at, length));
      at += length;
      continue;
    }
    for (const std::size_t end = at + std::max<std::size_t>(1, length); at < end; ++at) escape(bytes[at]);
  }
  return out;
}

}  // namespace moe
