#pragma once
#include <cstdint>

#include "core/router/recipe.h"

namespace moe {

// Between an expert's two matrices: rows of n contiguous hidden units. Forward turns pre-activations into the hidden
// activation and, for backward, its slopes, so that no pre-activation is kept. bias is one number a column.

/// hidden (rows, n) holds up x and becomes a(. + bias); slope (rows, n), or null: a'.
void activate(Activation activation, float* hidden, float* slope, const float* bias, std::int64_t rows, std::int64_t n);
/// hidden = a(gate) * up; gate (rows, n) becomes d hidden / d gate, up (rows, n) becomes d hidden / d up.
void activateGlu(Activation activation, float* hidden, float* gate, float* up, const float* gateBias,
                 const float* upBias, std::int64_t rows, std::int64_t n);
/// Interleaved gateUp (rows, 2n): g = min(gate, limit), u = clamp(up, +-limit), hidden = (u + 1) g sigmoid(alpha g).
void activateClampedGlu(float* hidden, float* gateSlope, float* upSlope, const float* gateUp, const float* bias,
                        float alpha, float limit, std::int64_t rows, std::int64_t n);
/// x (n) *= keep (n) * scale: dropout.
void dropOut(float* x, const float* keep, float scale, std::int64_t n);

/// d (n) holds d hidden; becomes weight * d * slope. Returns d . hidden, the gradient of the weight.
double throughActivation(float* d, const float* hidden, const float* slope, float weight, std::int64_t n);
/// The same for gate and up, which share d (n).
double throughGlu(float* dGate, float* dUp, const float* d, const float* hidden, const float* gateSlope,
                  const float* upSlope, float weight, std::int64_t n);
/// The same, interleaved: dGateUp (2n).
double throughClampedGlu(float* dGateUp, const float* d, const float* hidden, const float* gateSlope,
                         const float* upSlope, float weight, std::int64_t n);

}  // namespace moe
