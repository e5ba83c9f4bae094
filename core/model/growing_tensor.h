#pragma once
#include "core/backend/backend.h"

namespace moe {

/// Memory that is asked for at every pass and allocated when it is too small: after the first few passes, never.
class GrowingTensor {
 public:
  /// A view of this shape; its elements are whatever was there.
  TensorView view(Backend& backend, const Shape& shape, DType dtype) {
    if (tensor_.elements() < shape.elements() || tensor_.dtype() != dtype)
      tensor_ = backend.allocate({shape.elements()}, dtype);
    return {tensor_.view().data, shape, dtype, tensor_.view().device};
  }

 private:
  Tensor tensor_;
};

}  // namespace moe
