#pragma once
#include <cstdint>

#include "core/tensor/tensor.h"

namespace moe {

/// One stretch of parameters with its moments and gradient, all of one shape.
struct AdamWPart {
  TensorView parameter, m, v, gradient;
  double weightDecay = 0;
};
struct AdamWSettings {
  double learningRate = 0, beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
  std::int64_t step = 1;  // from 1, for bias correction
};

}  // namespace moe
