#pragma once
// core/backend/activation.h for kernels: the same functions in f32, the kind read at run time.
#include "core/backend/cuda/device.cuh"
#include "core/router/recipe.h"

namespace moe::cuda {

MOE_DEVICE float logisticOf(float x) { return 1.0f / (1.0f + expf(-x)); }

MOE_DEVICE float activated(Activation kind, float x) {
  switch (kind) {
    case Activation::relu: return x > 0 ? x : 0.0f;
    case Activation::gelu: return x * 0.5f * (1.0f + erff(x * 0.70710678118654752f));
    case Activation::geluTanh: return x * 0.5f * (1.0f + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    case Activation::silu: break;
  }
  return x * logisticOf(x);
}

/// 0 for relu at 0.
MOE_DEVICE float activatedSlope(Activation kind, float x) {
  switch (kind) {
    case Activation::relu: return x > 0 ? 1.0f : 0.0f;
    case Activation::gelu:
      return 0.5f * (1.0f + erff(x * 0.70710678118654752f)) + x * 0.39894228040143268f * expf(-0.5f * x * x);
    case Activation::geluTanh: {
      const float tangent = tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x));
      return 0.5f * (1.0f + tangent) +
             0.5f * x * (1.0f - tangent * tangent) * 0.79788456080286536f * (1.0f + 3 * 0.044715f * x * x);
    }
    case Activation::silu: break;
  }
  const float open = logisticOf(x);
  return open * (1.0f + x * (1.0f - open));
}

MOE_DEVICE float clampedGluOf(float g, float u, float alpha, float limit) {
  g = fminf(g, limit);
  u = fmaxf(fminf(u, limit), -limit);
  return (u + 1) * g * logisticOf(alpha * g);
}
MOE_DEVICE void clampedGluSlopeOf(float g, float u, float alpha, float limit, float& gate, float& up) {
  const bool gatePasses = g <= limit, upPasses = u <= limit && u >= -limit;
  g = fminf(g, limit);
  u = fmaxf(fminf(u, limit), -limit);
  const float open = logisticOf(alpha * g);
  gate = gatePasses ? (u + 1) * open * (1 + alpha * g * (1 - open)) : 0.0f;
  up = upPasses ? g * open : 0.0f;
}

}  // namespace moe::cuda
