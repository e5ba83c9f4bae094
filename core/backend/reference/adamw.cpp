#include <cmath>

#include "core/backend/reference/reference_backend.h"
#include "core/tensor/scalar.h"

namespace moe {

void ReferenceBackend::sumOfSquares(const TensorView& out, const TensorView& in) {
  const auto timed = timer_.time("sum of squares");
  assert(out.elements() == 1);
  double sum = 0;
  withScalar(in.dtype, [&]<class Scalar>() {
    for (const Scalar value : in.span<Scalar>()) sum += static_cast<double>(value) * value;
  });
  *out.as<double>() = sum;
}

// Loshchilov and Hutter 2019, algorithm 2: the decay is decoupled from the moments and scaled by the learning rate.
void ReferenceBackend::adamw(const TensorView& parameter, const TensorView& m, const TensorView& v,
                             const TensorView& gradient, const AdamWSettings& settings) {
  const auto timed = timer_.time("adamw");
  assert(settings.step >= 1);
  assert(m.elements() == parameter.elements() && v.elements() == m.elements() && gradient.elements() == m.elements());
  const double mCorrection = 1 - std::pow(settings.beta1, static_cast<double>(settings.step));
  const double vCorrection = 1 - std::pow(settings.beta2, static_cast<double>(settings.step));
  withScalar(parameter.dtype, [&]<class Scalar>() {
    for (std::int64_t i = 0; i < parameter.elements(); ++i) {
      Scalar &p = parameter.as<Scalar>()[i], &first = m.as<Scalar>()[i], &second = v.as<Scalar>()[i];
      const double g = settings.gradientScale * gradient.as<Scalar>()[i];
      const double firstNew = settings.beta1 * first + (1 - settings.beta1) * g;
      const double secondNew = settings.beta2 * second + (1 - settings.beta2) * g * g;
      const double direction = (firstNew / mCorrection) / (std::sqrt(secondNew / vCorrection) + settings.epsilon);
      first = static_cast<Scalar>(firstNew);
      second = static_cast<Scalar>(secondNew);
      p = static_cast<Scalar>(p - settings.learningRate * (direction + settings.weightDecay * p));
    }
  });
}

}  // namespace moe
