#pragma once
#include <cassert>

#include "core/tensor/tensor.h"

namespace moe {

/// Calls `body.template operator()<S>()` with S = float or double: the one place where a view's dtype becomes a type.
template <class Body>
decltype(auto) withScalar(DType dtype, Body&& body) {
  assert(dtype == DType::f32 || dtype == DType::f64);
  if (dtype == DType::f64) return body.template operator()<double>();
  return body.template operator()<float>();
}

}  // namespace moe
