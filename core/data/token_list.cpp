#include "core/data/token_list.h"

#include <cassert>
#include <limits>

namespace moe {

std::int64_t tokenBytes(int vocabulary) { return vocabulary <= 1 << 8 ? 1 : vocabulary <= 1 << 16 ? 2 : 4; }

TokenList::TokenList(int vocabulary) {
  if (tokenBytes(vocabulary) == 2) ids_.emplace<std::vector<std::uint16_t>>();
  if (tokenBytes(vocabulary) == 4) ids_.emplace<std::vector<std::int32_t>>();
}

TokenList::TokenList(const std::vector<std::int32_t>& ids) : ids_(ids) {}

void TokenList::reserve(std::size_t count) {
  std::visit([count](auto& list) { list.reserve(count); }, ids_);
}

void TokenList::append(std::span<const std::int32_t> ids) {
  std::visit(
      [ids]<class Id>(std::vector<Id>& list) {
        assert(
            std::ranges::all_of(ids, [](std::int32_t id) { return id >= 0 && id <= std::numeric_limits<Id>::max(); }));
        for (const std::int32_t id : ids) list.push_back(static_cast<Id>(id));
      },
      ids_);
}

std::vector<std::int32_t> TokenList::ids() const {
  return std::visit([](const auto& list) { return std::vector<std::int32_t>(list.begin(), list.end()); }, ids_);
}

}  // namespace moe
