#pragma once
#include <cassert>

#include "core/tensor/tensor.h"

namespace moe {

/// Calls work(float{}) or work(double{}): the one place where a view's dtype becomes a type.
template <class Work>
void withScalar(DType dtype, Work work) {
  assert(dtype == DType::f32 || dtype == DType::f64);
  if (dtype == DType::f64)
    work(double{});
  else
    work(float{});
}

}  // namespace moe
