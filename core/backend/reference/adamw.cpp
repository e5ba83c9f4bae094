#include <cmath>

#include "core/backend/reference/reference_backend.h"
#include "core/tensor/scalar.h"

namespace moe {

void ReferenceBackend::sumOfSquares(const TensorView& out, std::span<const TensorView> in) {
  const auto timed = timer_.time("sum of squares");
  assert(out.elements() == static_cast<std::int64_t>(in.size()));
  for (std::size_t i = 0; i < in.size(); ++i) {
    double sum = 0;
    withScalar(in[i].dtype, [&]<class Scalar>() {
      for (const Scalar value : in[i].span<Scalar>()) sum += static_cast<double>(value) * value;
    });
    out.as<double>()[i] = sum;
  }
}

// Loshchilov and Hutter 2019, algorithm 2: the decay is decoupled from the moments and scaled by the learning rate.
void ReferenceBackend::adamw(std::span<const AdamWPart> parts, const AdamWSettings& settings,
                             const TensorView& update) {
  const auto timed = timer_.time("adamw");
  assert(settings.step >= 1);
  const double scale = gradientScale(update);
  if (scale == 0) return;
  const double mCorrection = 1 - std::pow(settings.beta1, static_cast<double>(settings.step));
  const double vCorrection = 1 - std::pow(settings.beta2, static_cast<double>(settings.step));
  for (const AdamWPart& part : parts) {
    const std::int64_t n = part.parameter.elements();
    assert(part.m.elements() == n && part.v.elements() == n && part.gradient.elements() == n);
    withScalar(part.parameter.dtype, [&]<class Scalar>() {
      Scalar *const p = part.parameter.as<Scalar>(), *const first = part.m.as<Scalar>();
      Scalar* const second = part.v.as<Scalar>();
      const Scalar* const gradient = part.gradient.as<Scalar>();
      for (std::int64_t i = 0; i < n; ++i) {
        const double g = scale * gradient[i];
        const double firstNew = settings.beta1 * first[i] + (1 - settings.beta1) * g;
        const double secondNew = settings.beta2 * second[i] + (1 - settings.beta2) * g * g;
        const double direction = (firstNew / mCorrection) / (std::sqrt(secondNew / vCorrection) + settings.epsilon);
        first[i] = static_cast<Scalar>(firstNew);
        second[i] = static_cast<Scalar>(secondNew);
        p[i] = static_cast<Scalar>(p[i] - settings.learningRate * (direction + part.weightDecay * p[i]));
      }
    });
  }
}

}  // namespace moe
