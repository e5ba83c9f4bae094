#include "core/backend/reference/reference_backend.h"
#include "core/tensor/scalar.h"

namespace moe {

void ReferenceBackend::linear(const TensorView& y, const TensorView& x, const TensorView& weight,
                              const TensorView& bias, bool accumulate) {
  const auto timed = timer_.time("linear");
  const std::int64_t outputs = weight.shape[0], inputs = weight.shape[1], rows = x.elements() / inputs;
  assert(x.elements() == rows * inputs && y.elements() == rows * outputs);
  assert(bias.empty() || bias.elements() == outputs);
  withScalar(x.dtype, [&]<class Scalar>() {
    for (std::int64_t t = 0; t < rows; ++t)
      for (std::int64_t o = 0; o < outputs; ++o) {
        const Scalar* in = x.as<Scalar>() + t * inputs;
        const Scalar* w = weight.as<Scalar>() + o * inputs;
        Scalar& out = y.as<Scalar>()[t * outputs + o];
        double sum = accumulate ? static_cast<double>(out) : 0.0;
        if (!bias.empty()) sum += bias.as<Scalar>()[o];
        for (std::int64_t i = 0; i < inputs; ++i) sum += static_cast<double>(in[i]) * w[i];
        out = static_cast<Scalar>(sum);
      }
  });
}

void ReferenceBackend::linearBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                                      const TensorView& dy, const TensorView& x, const TensorView& weight,
                                      bool accumulateDx, Gradients gradients) {
  const auto timed = timer_.time("linear backward");
  const std::int64_t outputs = weight.shape[0], inputs = weight.shape[1], rows = dy.elements() / outputs;
  assert(dy.elements() == rows * outputs && x.elements() == rows * inputs);
  assert(dx.empty() || dx.elements() == rows * inputs);
  assert(dWeight.empty() || dWeight.elements() == outputs * inputs);
  assert(dBias.empty() || dBias.elements() == outputs);
  const bool add = gradients == Gradients::add;
  withScalar(dy.dtype, [&]<class Scalar>() {
    const Scalar* dOut = dy.as<Scalar>();
    if (!dx.empty())
      for (std::int64_t t = 0; t < rows; ++t) {
        const auto sum = scratch(inputs);
        for (std::int64_t o = 0; o < outputs; ++o) {
          const Scalar* w = weight.as<Scalar>() + o * inputs;
          for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(dOut[t * outputs + o]) * w[i];
        }
        Scalar* dIn = dx.as<Scalar>() + t * inputs;
        for (std::size_t i = 0; i < sum.size(); ++i)
          dIn[i] = static_cast<Scalar>(accumulateDx ? dIn[i] + sum[i] : sum[i]);
      }
    for (std::int64_t o = 0; o < outputs && !dWeight.empty(); ++o) {
      const auto sum = scratch(inputs);
      for (std::int64_t t = 0; t < rows; ++t) {
        const Scalar* in = x.as<Scalar>() + t * inputs;
        for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += static_cast<double>(dOut[t * outputs + o]) * in[i];
      }
      Scalar* dW = dWeight.as<Scalar>() + o * inputs;
      for (std::size_t i = 0; i < sum.size(); ++i) dW[i] = static_cast<Scalar>(sum[i]) + (add ? dW[i] : Scalar{0});
    }
    for (std::int64_t o = 0; o < outputs && !dBias.empty(); ++o) {
      double sum = 0;
      for (std::int64_t t = 0; t < rows; ++t) sum += dOut[t * outputs + o];
      Scalar& out = dBias.as<Scalar>()[o];
      out = static_cast<Scalar>(sum) + (add ? out : Scalar{0});
    }
  });
}

}  // namespace moe
