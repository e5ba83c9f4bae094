#pragma once
// A routing's gradient against central differences.
#include <cmath>
#include <functional>
#include <vector>

#include "tests/support/random_routing.h"

namespace moe::test {

struct Gradients {
  Tensor weight, bias, noiseWeight, x;
};

inline Gradients backward(RandomRouting& run, std::span<const double> dAssignment) {
  Gradients g{hostTensor(run.weight.shape(), DType::f64), hostTensor(run.bias.shape(), DType::f64),
              hostTensor(run.noiseWeight.shape(), DType::f64), hostTensor(run.x.shape(), DType::f64)};
  const bool biased = run.recipe().logits.bias;
  routeBackward({g.weight, biased ? g.bias.view() : TensorView{}, g.noiseWeight}, g.x, run.routing, run.recipe(),
                run.input, dAssignment);
  return g;
}

struct Sets {
  std::vector<std::int32_t> asked, final, unadjusted;
  std::vector<std::uint8_t> wants;
  bool operator==(const Sets&) const = default;
};
inline Sets setsOf(const Routing& r) { return {r.asked, r.final, r.unadjusted, r.wantsSlot}; }

enum class Verdict { agrees, differs, atAnEdge };

/// Central difference along a random direction against the gradient. The bound is 1e-6 of the sum of the parts; below
/// stands only what rounding the two objectives (some tens of additions) leaves of a difference over 2e-5. A step that
/// changes a set stands at an edge: skipped.
inline Verdict check(RandomRouting& run, Tensor& parameter, const Tensor& gradient,
                     const std::function<double()>& objective, std::uint64_t seed) {
  objective();
  const Sets sets = setsOf(run.routing);
  const Tensor direction = hostTensor(parameter.shape(), DType::f64);
  fillNormal(direction, {.seed = seed, .stream = RandomStream::corpus}, 0, 1);
  constexpr double kStep = 1e-5;
  const auto move = [&](double by) {
    for (std::int64_t i = 0; i < parameter.elements(); ++i) parameter.as<double>()[i] += by * direction.as<double>()[i];
  };
  double expected = 0, size = 0;
  for (std::int64_t i = 0; i < parameter.elements(); ++i) {
    const double part = gradient.as<double>()[i] * direction.as<double>()[i];
    expected += part;
    size += std::abs(part);
  }
  move(kStep);
  const double above = objective();
  bool same = setsOf(run.routing) == sets;
  move(-2 * kStep);
  const double below = objective();
  same &= setsOf(run.routing) == sets;
  move(kStep);
  objective();
  if (!same) return Verdict::atAnEdge;
  const double found = (above - below) / (2 * kStep);
  const double rounding = 20 * 2.2e-16 * (1 + std::abs(above)) / (2 * kStep);
  return std::abs(found - expected) <= 1e-6 * size + rounding ? Verdict::agrees : Verdict::differs;
}

}  // namespace moe::test
