#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <variant>
#include <vector>

namespace moe {

/// Ids of a text, each in as few bytes as the vocabulary allows: 1, 2 or 4.
class TokenList {
 public:
  TokenList() = default;
  explicit TokenList(int vocabulary);
  /// For any vocabulary.
  TokenList(const std::vector<std::int32_t>& ids);
  TokenList(std::initializer_list<std::int32_t> ids) : TokenList(std::vector<std::int32_t>(ids)) {}

  /// Address space only, until ids fill it.
  void reserve(std::size_t count);
  /// Ids from 0 to below the vocabulary.
  void append(std::span<const std::int32_t> ids);

  std::size_t size() const {
    return std::visit([](const auto& list) { return list.size(); }, ids_);
  }
  std::int32_t operator[](std::size_t at) const {
    return std::visit([at](const auto& list) { return static_cast<std::int32_t>(list[at]); }, ids_);
  }
  /// Calls with all of them in order, some thousands at a time.
  template <class Take>
  void inPieces(Take take) const {
    constexpr std::size_t kPiece = 4096;
    std::vector<std::int32_t> piece;
    for (std::size_t begin = 0; begin < size(); begin += kPiece) {
      std::visit(
          [&](const auto& list) {
            piece.assign(list.begin() + static_cast<std::ptrdiff_t>(begin),
                         list.begin() + static_cast<std::ptrdiff_t>(std::min(begin + kPiece, list.size())));
          },
          ids_);
      take(std::span<const std::int32_t>(piece));
    }
  }
  std::vector<std::int32_t> ids() const;

 private:
  std::variant<std::vector<std::uint8_t>, std::vector<std::uint16_t>, std::vector<std::int32_t>> ids_;
};

/// Bytes that a token of such a vocabulary takes.
std::int64_t tokenBytes(int vocabulary);

}  // namespace moe
