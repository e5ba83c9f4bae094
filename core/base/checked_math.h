#pragma once
#include <optional>

namespace moe {

// Arithmetic on counts and lengths that came from a file: nothing where the result does not fit.

template <typename T>
std::optional<T> checkedAdd(T a, T b) {
  T sum;
  if (__builtin_add_overflow(a, b, &sum)) return std::nullopt;
  return sum;
}

template <typename T>
std::optional<T> checkedMultiply(T a, T b) {
  T product;
  if (__builtin_mul_overflow(a, b, &product)) return std::nullopt;
  return product;
}

/// The value in a narrower or differently signed type.
template <typename To, typename From>
std::optional<To> checkedCast(From value) {
  To result;
  if (__builtin_add_overflow(value, From{0}, &result)) return std::nullopt;
  return result;
}

}  // namespace moe
