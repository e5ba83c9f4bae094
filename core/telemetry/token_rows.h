#pragma once
#include <cassert>
#include <cmath>
#include <cstdint>

namespace moe {

// What the measures of tables with one row a token share.

/// The term of an entropy, nats: -q log q.
inline double entropyOf(double q) { return q > 0 ? -q * std::log(q) : 0; }

/// Rows of a table; elements is a multiple of columns.
inline std::int64_t rowsOf(std::size_t elements, std::int64_t columns) {
  assert(columns > 0 && static_cast<std::int64_t>(elements) % columns == 0);
  return static_cast<std::int64_t>(elements) / columns;
}

}  // namespace moe
