#pragma once
#include <cstddef>
#include <cstdint>

namespace moe {

/// A place in a container of the standard library, for one counted as tensors count. i >= 0.
constexpr std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

}  // namespace moe
