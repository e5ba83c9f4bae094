#include "core/backend/onednn/experts_activation.h"

#include "core/base/vector_math.h"

namespace moe {
namespace {

struct ValueAndSlope {
  float value, slope;
};

struct Relu {
  static SWITCHYARD_INLINE ValueAndSlope at(float x) { return {x > 0 ? x : 0.0f, x > 0 ? 1.0f : 0.0f}; }
};
struct Gelu {
  static SWITCHYARD_INLINE ValueAndSlope at(float x) {
    const NormalProbability p = vectorNormal(x);
    return {x * p.cumulative, p.cumulative + x * p.density};
  }
};
// 0.5 (1 + tanh(u)) = sigmoid(2u), with u = sqrt(2/pi) (x + 0.044715 x^3).
struct GeluTanh {
  static SWITCHYARD_INLINE ValueAndSlope at(float x) {
    const float square = x * x;
    const float s = vectorSigmoid(1.5957691216f * x * (1.0f + 0.044715f * square));
    return {x * s, s + x * s * (1.0f - s) * 1.5957691216f * (1.0f + 0.134145f * square)};
  }
};
struct Silu {
  static SWITCHYARD_INLINE ValueAndSlope at(float x) {
    const float s = vectorSigmoid(x);
    return {x * s, s * (1.0f + x * (1.0f - s))};
  }
};

template <class A>
SWITCHYARD_INLINE void activateLoop(float* hidden, float* slope, const float* bias, std::int64_t n) {
  if (slope) {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) {
      const ValueAndSlope a = A::at(hidden[i] + bias[i]);
      hidden[i] = a.value;
      slope[i] = a.slope;
    }
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) hidden[i] = A::at(hidden[i] + bias[i]).value;
  }
}

template <class A>
SWITCHYARD_INLINE void gluLoop(float* hidden, float* gate, float* up, const float* gateBias, const float* upBias,
                               std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const ValueAndSlope a = A::at(gate[i] + gateBias[i]);
    const float u = up[i] + upBias[i];
    hidden[i] = a.value * u;
    gate[i] = a.slope * u;
    up[i] = a.value;
  }
}

SWITCHYARD_VECTORISED void activateRow(Activation activation, float* hidden, float* slope, const float* bias,
                                       std::int64_t n) {
  switch (activation) {
    case Activation::relu: return activateLoop<Relu>(hidden, slope, bias, n);
    case Activation::gelu: return activateLoop<Gelu>(hidden, slope, bias, n);
    case Activation::geluTanh: return activateLoop<GeluTanh>(hidden, slope, bias, n);
    case Activation::silu: return activateLoop<Silu>(hidden, slope, bias, n);
  }
}

SWITCHYARD_VECTORISED void gluRow(Activation activation, float* hidden, float* gate, float* up, const float* gateBias,
                                  const float* upBias, std::int64_t n) {
  switch (activation) {
    case Activation::relu: return gluLoop<Relu>(hidden, gate, up, gateBias, upBias, n);
    case Activation::gelu: return gluLoop<Gelu>(hidden, gate, up, gateBias, upBias, n);
    case Activation::geluTanh: return gluLoop<GeluTanh>(hidden, gate, up, gateBias, upBias, n);
    case Activation::silu: return gluLoop<Silu>(hidden, gate, up, gateBias, upBias, n);
  }
}

SWITCHYARD_VECTORISED void clampedGluRow(float* hidden, float* gateSlope, float* upSlope, const float* gateUp,
                                         const float* bias, float alpha, float limit, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) {
    const float rawGate = gateUp[2 * i] + bias[2 * i], rawUp = gateUp[2 * i + 1] + bias[2 * i + 1];
    const float g = rawGate > limit ? limit : rawGate;
    const float above = rawUp > limit ? limit : rawUp, u = above < -limit ? -limit : above;
    const float s = vectorSigmoid(alpha * g), swish = g * s;
    const float slope = (u + 1.0f) * (s + alpha * swish * (1.0f - s));
    hidden[i] = (u + 1.0f) * swish;
    gateSlope[i] = rawGate > limit ? 0.0f : slope;
    upSlope[i] = rawUp > limit || rawUp < -limit ? 0.0f : swish;
  }
}

SWITCHYARD_VECTORISED void dropRow(float* x, const float* keep, float scale, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) x[i] *= keep[i] * scale;
}

SWITCHYARD_VECTORISED float activationBack(float* d, const float* hidden, const float* slope, float weight,
                                           std::int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) {
    sum += d[i] * hidden[i];
    d[i] = weight * d[i] * slope[i];
  }
  return sum;
}

SWITCHYARD_VECTORISED float gluBack(float* dFirst, float* dSecond, const float* d, const float* hidden,
                                    const float* firstSlope, const float* secondSlope, float weight, std::int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) {
    sum += d[i] * hidden[i];
    dFirst[i] = weight * d[i] * firstSlope[i];
    dSecond[i] = weight * d[i] * secondSlope[i];
  }
  return sum;
}

SWITCHYARD_VECTORISED float interleavedBack(float* out, const float* d, const float* hidden, const float* firstSlope,
                                            const float* secondSlope, float weight, std::int64_t n) {
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) {
    sum += d[i] * hidden[i];
    out[2 * i] = weight * d[i] * firstSlope[i];
    out[2 * i + 1] = weight * d[i] * secondSlope[i];
  }
  return sum;
}

}  // namespace

void activate(Activation activation, float* hidden, float* slope, const float* bias, std::int64_t rows,
              std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row)
    activateRow(activation, hidden + row * n, slope ? slope + row * n : nullptr, bias, n);
}

void activateGlu(Activation activation, float* hidden, float* gate, float* up, const float* gateBias,
                 const float* upBias, std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row)
    gluRow(activation, hidden + row * n, gate + row * n, up + row * n, gateBias, upBias, n);
}

void activateClampedGlu(float* hidden, float* gateSlope, float* upSlope, const float* gateUp, const float* bias,
                        float alpha, float limit, std::int64_t rows, std::int64_t n) {
  for (std::int64_t row = 0; row < rows; ++row)
    clampedGluRow(hidden + row * n, gateSlope + row * n, upSlope + row * n, gateUp + 2 * row * n, bias, alpha, limit,
                  n);
}

void dropOut(float* x, const float* keep, float scale, std::int64_t n) { dropRow(x, keep, scale, n); }

double throughActivation(float* d, const float* hidden, const float* slope, float weight, std::int64_t n) {
  return activationBack(d, hidden, slope, weight, n);
}

double throughGlu(float* dGate, float* dUp, const float* d, const float* hidden, const float* gateSlope,
                  const float* upSlope, float weight, std::int64_t n) {
  return gluBack(dGate, dUp, d, hidden, gateSlope, upSlope, weight, n);
}

double throughClampedGlu(float* dGateUp, const float* d, const float* hidden, const float* gateSlope,
                         const float* upSlope, float weight, std::int64_t n) {
  return interleavedBack(dGateUp, d, hidden, gateSlope, upSlope, weight, n);
}

}  // namespace moe
