#pragma once
#include <cmath>
#include <numbers>
#include <type_traits>

#include "core/router/recipe.h"

namespace moe {

template <class S>
S logistic(S x) {
  return S(1) / (S(1) + std::exp(-x));
}

/// a(x) of mlp and glu experts. The kind is a template argument, so that a loop over elements holds no branch on it.
template <Activation kKind, class S>
S activate(S x) {
  if constexpr (kKind == Activation::relu) return x > 0 ? x : S(0);
  if constexpr (kKind == Activation::gelu) return x / 2 * (1 + std::erf(x * (std::numbers::sqrt2_v<S> / 2)));
  if constexpr (kKind == Activation::geluTanh) {
    const S inner = std::sqrt(2 / std::numbers::pi_v<S>) * (x + S(0.044715) * x * x * x);
    return x / 2 * (1 + std::tanh(inner));
  }
  if constexpr (kKind == Activation::silu) return x * logistic(x);
}

/// a'(x); 0 for relu at 0.
template <Activation kKind, class S>
S activateSlope(S x) {
  if constexpr (kKind == Activation::relu) return x > 0 ? S(1) : S(0);
  if constexpr (kKind == Activation::gelu) {
    const S density = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi_v<S>);
    return (1 + std::erf(x * (std::numbers::sqrt2_v<S> / 2))) / 2 + x * density;
  }
  if constexpr (kKind == Activation::geluTanh) {
    const S scale = std::sqrt(2 / std::numbers::pi_v<S>);
    const S tanh = std::tanh(scale * (x + S(0.044715) * x * x * x));
    return (1 + tanh) / 2 + x / 2 * (1 - tanh * tanh) * scale * (1 + S(3 * 0.044715) * x * x);
  }
  if constexpr (kKind == Activation::silu) {
    const S open = logistic(x);
    return open * (1 + x * (1 - open));
  }
}

/// Calls body(std::integral_constant<Activation, kind>): the one place where the setting becomes a template argument.
template <class Body>
decltype(auto) withActivation(Activation kind, Body&& body) {
  switch (kind) {
    case Activation::relu: return body(std::integral_constant<Activation, Activation::relu>{});
    case Activation::gelu: return body(std::integral_constant<Activation, Activation::gelu>{});
    case Activation::geluTanh: return body(std::integral_constant<Activation, Activation::geluTanh>{});
    case Activation::silu: break;
  }
  return body(std::integral_constant<Activation, Activation::silu>{});
}

/// Hidden value of a clamped GLU: g <- min(g, limit), u <- clamp(u, -limit, limit); (u + 1) g sigmoid(alpha g).
template <class S>
S clampedGlu(S g, S u, S alpha, S limit) {
  g = g > limit ? limit : g;
  u = u > limit ? limit : u < -limit ? -limit : u;
  return (u + 1) * g * logistic(alpha * g);
}

/// Its two derivatives; a clamped entry has none.
template <class S>
struct ClampedGluSlope {
  S gate, up;
};
template <class S>
ClampedGluSlope<S> clampedGluSlope(S g, S u, S alpha, S limit) {
  const bool gatePasses = g <= limit, upPasses = u <= limit && u >= -limit;
  g = g > limit ? limit : g;
  u = u > limit ? limit : u < -limit ? -limit : u;
  const S open = logistic(alpha * g);
  return {gatePasses ? (u + 1) * open * (1 + alpha * g * (1 - open)) : S(0), upPasses ? g * open : S(0)};
}

}  // namespace moe
