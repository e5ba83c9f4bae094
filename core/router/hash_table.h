#pragma once
#include <cstdint>
#include <vector>

namespace moe {

/// (V) expert of each token id: a random table in which expert loads by id differ by at most one. Fixed at creation.
std::vector<std::int32_t> makeHashTable(std::int64_t vocabulary, std::int32_t experts, std::uint64_t seed,
                                        std::uint32_t layer);

}  // namespace moe
