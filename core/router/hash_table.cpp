#include "core/router/hash_table.h"

#include <utility>

#include "core/tensor/philox.h"

namespace moe {

std::vector<std::int32_t> makeHashTable(std::int64_t vocabulary, std::int32_t experts, std::uint64_t seed,
                                        std::uint32_t layer) {
  std::vector<std::int32_t> table(static_cast<std::size_t>(vocabulary));
  for (std::size_t id = 0; id < table.size(); ++id)
    table[id] = static_cast<std::int32_t>(id % static_cast<std::size_t>(experts));
  const RandomKey key{.seed = seed, .stream = RandomStream::hashTable, .step = 0, .layer = layer};
  for (std::size_t i = table.size(); i > 1; --i) {
    const double u = uniformAt(key, static_cast<std::uint32_t>(i), 0);
    std::swap(table[i - 1], table[static_cast<std::size_t>(u * static_cast<double>(i))]);
  }
  return table;
}

}  // namespace moe
