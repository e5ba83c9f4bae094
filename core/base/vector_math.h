#pragma once
// Functions of one f32 that vectorise: no branches, no calls. Bounds hold over all finite f32 and are tested.
#include <bit>
#include <cstdint>

#include "core/base/vectorised.h"

namespace moe {

/// exp(x), relative error <= 2.5e-7 (2 ulp). 0 below -87.3, at most 2.4e38. NaN stays.
/// exp(x) = 2^n exp(r), |r| <= ln(2)/2, with a minimax polynomial for (exp(r) - 1 - r) / r^2.
SWITCHYARD_INLINE float vectorExp(float x) {
  constexpr float kLow = -87.3f, kHigh = 88.376f;
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const float bounded = x > kHigh ? kHigh : x;
  const float shifted = bounded * 1.44269504f + kRound;
  const float n = shifted - kRound;
  // ln 2 in two parts, the first with so few bits that n times it is exact.
  const float r = (bounded - n * 0.693359375f) + n * 2.12194440e-4f;
  float p = 1.3814169590e-03f;
  p = p * r + 8.3689222583e-03f;
  p = p * r + 4.1668408070e-02f;
  p = p * r + 1.6666518934e-01f;
  p = p * r + 4.9999993333e-01f;
  p = p * (r * r) + r + 1.0f;
  // Unsigned: a shift of a negative n must not overflow.
  const std::uint32_t power = std::bit_cast<std::uint32_t>(shifted) << 23;
  const float scaled = std::bit_cast<float>(std::bit_cast<std::uint32_t>(p) + power);
  return x < kLow ? 0.0f : scaled;
}

/// log(x) of x >= 0, absolute error <= 1e-7 and relative <= 2e-7 or so away from 1; the log of the smallest normal
/// number for all below it, so that x * vectorLog(x) is 0 at 0.
/// x = 2^n m, 0.75 <= m < 1.5: log(m) = 2 atanh(s), s = (m - 1) / (m + 1), |s| <= 0.2, by its series.
SWITCHYARD_INLINE float vectorLog(float x) {
  constexpr float kSmallest = 1.17549435e-38f;
  const auto bits = std::bit_cast<std::uint32_t>(x > kSmallest ? x : kSmallest);
  const std::uint32_t shifted = bits - 0x3f400000u;  // 0.75: exponents count from there
  const auto n = static_cast<float>(static_cast<std::int32_t>(shifted) >> 23);
  const float m = std::bit_cast<float>((shifted & 0x007fffffu) + 0x3f400000u);
  const float s = (m - 1.0f) / (m + 1.0f), square = s * s;
  float p = 0.111111111f;
  p = p * square + 0.142857143f;
  p = p * square + 0.2f;
  p = p * square + 0.333333333f;
  const float atanh = s + s * (square * p);
  return n * 0.693359375f + (2.0f * atanh - n * 2.12194440e-4f);
}

SWITCHYARD_INLINE float vectorSigmoid(float x) { return 1.0f / (1.0f + vectorExp(-x)); }

/// The standard normal distribution's cumulative probability P(x) and density p(x); absolute error <= 2e-7 each.
/// P(-z) = exp(-z^2/2) t q(t), t = 1/(1 + 0.28 z), with q fitted to relative error 5.4e-8 for 0 <= z <= 14.
struct NormalProbability {
  float cumulative, density;
};
SWITCHYARD_INLINE NormalProbability vectorNormal(float x) {
  const float z = x < 0 ? -x : x;
  const float t = 1.0f / (1.0f + 0.28f * z);
  float q = 0.02279170977f;
  q = q * t - 0.08336732289f;
  q = q * t + 0.06978487222f;
  q = q * t + 0.02083482922f;
  q = q * t + 0.05326752211f;
  q = q * t + 0.09207526612f;
  q = q * t + 0.10093114378f;
  q = q * t + 0.11199473566f;
  q = q * t + 0.11168727071f;
  const float bell = vectorExp(-0.5f * x * x);
  const float tail = bell * (t * q);
  return {x < 0 ? tail : 1.0f - tail, 0.39894228f * bell};
}

/// The largest of x (n >= 1): sixteen running maxima, since compilers will not split the one themselves.
SWITCHYARD_INLINE float vectorMax(const float* x, std::int64_t n) {
  constexpr std::int64_t kLanes = 16;
  float lane[kLanes];
  for (float& value : lane) value = x[0];
  std::int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
#ifdef _OPENMP
#pragma omp simd
#endif
    for (std::int64_t l = 0; l < kLanes; ++l) lane[l] = x[i + l] > lane[l] ? x[i + l] : lane[l];
  float largest = lane[0];
  for (const float value : lane) largest = value > largest ? value : largest;
  for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  return largest;
}

}  // namespace moe
