#pragma once
#include "core/tensor/tensor.h"

namespace moe {

/// Gives `tensor` this shape; memory changes hands only when the shape or type does. It is then zero, else keeps its
/// contents.
inline void ensure(Tensor& tensor, Shape shape, DType dtype) {
  if (!(tensor.shape() == shape) || tensor.dtype() != dtype) tensor = hostTensor(shape, dtype);
}

/// The same, zeroed.
template <class S>
void ensureZero(Tensor& tensor, Shape shape) {
  ensure(tensor, shape, DTypeOf<S>::value);
  for (S& value : tensor.span<S>()) value = 0;
}

/// Empties a tensor that this pass has no use for.
inline void release(Tensor& tensor) {
  if (!tensor.empty()) tensor = Tensor();
}

}  // namespace moe
