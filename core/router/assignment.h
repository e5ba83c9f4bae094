#pragma once
#include <cstdint>
#include <span>

namespace moe {

/// The one expert of each token that maximises the sum of r (T, E) with T/E tokens an expert, exactly (BASE layers,
/// Lewis et al. 2021). Where E does not divide T the first T mod E experts take one more. Among equals the lower
/// expert. Successive shortest augmenting paths over the E experts with dual prices: O(T (E^2 + T)) at worst.
template <class S>
void assignBalanced(std::span<std::int32_t> out, const S* r, std::int64_t tokens, std::int64_t experts);

}  // namespace moe
