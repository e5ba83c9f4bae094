#include <cmath>

#include "core/backend/reference/reference_backend.h"
#include "core/tensor/scalar.h"

namespace moe {

void ReferenceBackend::norm(const TensorView& y, const TensorView& statistics, const TensorView& x,
                            const TensorView& weight, const TensorView& bias, NormKind kind, double epsilon) {
  const auto timed = timer_.time("norm");
  const std::int64_t width = weight.elements(), rows = x.elements() / width;
  assert(y.elements() == x.elements() && x.elements() == rows * width && statistics.elements() == 2 * rows);
  assert(bias.empty() || bias.elements() == width);
  withScalar(x.dtype, [&]<class Scalar>() {
    for (std::int64_t t = 0; t < rows; ++t) {
      const Scalar* in = x.as<Scalar>() + t * width;
      Scalar* out = y.as<Scalar>() + t * width;
      double mean = 0, squares = 0;
      if (kind == NormKind::layer) {
        for (std::int64_t i = 0; i < width; ++i) mean += in[i];
        mean /= static_cast<double>(width);
      }
      for (std::int64_t i = 0; i < width; ++i) squares += (in[i] - mean) * (in[i] - mean);
      const double inverse = 1 / std::sqrt(squares / static_cast<double>(width) + epsilon);
      statistics.as<Scalar>()[2 * t] = static_cast<Scalar>(mean);
      statistics.as<Scalar>()[2 * t + 1] = static_cast<Scalar>(inverse);
      for (std::int64_t i = 0; i < width; ++i) {
        const double shift = bias.empty() ? 0.0 : bias.as<Scalar>()[i];
        out[i] = static_cast<Scalar>(weight.as<Scalar>()[i] * ((in[i] - mean) * inverse) + shift);
      }
    }
  });
}

// With n = (x - mean) * inverse and g = dy * weight: dx = inverse * (g - mean(g) - n * mean(g * n)), where rms, which
// subtracts no mean, has no mean(g).
void ReferenceBackend::normBackward(const TensorView& dx, const TensorView& dWeight, const TensorView& dBias,
                                    const TensorView& dy, const TensorView& x, const TensorView& statistics,
                                    const TensorView& weight, NormKind kind) {
  const auto timed = timer_.time("norm backward");
  const std::int64_t width = weight.elements(), rows = x.elements() / width;
  assert(dy.elements() == x.elements() && dx.elements() == x.elements() && statistics.elements() == 2 * rows);
  const auto sums = scratch(2 * width);  // of dWeight, then of dBias, over the rows
  const auto dWeightSum = sums.first(static_cast<std::size_t>(width)), dBiasSum = sums.last(dWeightSum.size());
  withScalar(x.dtype, [&]<class Scalar>() {
    for (std::int64_t t = 0; t < rows; ++t) {
      const Scalar* in = x.as<Scalar>() + t * width;
      const Scalar* dOut = dy.as<Scalar>() + t * width;
      Scalar* dIn = dx.as<Scalar>() + t * width;
      const double mean = statistics.as<Scalar>()[2 * t], inverse = statistics.as<Scalar>()[2 * t + 1];
      const auto normal = [&](std::int64_t i) { return (in[i] - mean) * inverse; };
      const auto through = [&](std::int64_t i) { return static_cast<double>(dOut[i]) * weight.as<Scalar>()[i]; };
      double meanOfG = 0, meanOfGN = 0;
      for (std::int64_t i = 0; i < width; ++i) {
        meanOfG += through(i);
        meanOfGN += through(i) * normal(i);
        dWeightSum[static_cast<std::size_t>(i)] += dOut[i] * normal(i);
        dBiasSum[static_cast<std::size_t>(i)] += dOut[i];
      }
      meanOfG = kind == NormKind::layer ? meanOfG / static_cast<double>(width) : 0;
      meanOfGN /= static_cast<double>(width);
      for (std::int64_t i = 0; i < width; ++i)
        dIn[i] += static_cast<Scalar>(inverse * (through(i) - meanOfG - normal(i) * meanOfGN));
    }
    const auto accumulate = [](const TensorView& out, std::span<const double> sum) {
      if (out.empty()) return;
      assert(out.elements() == static_cast<std::int64_t>(sum.size()));
      for (std::size_t i = 0; i < sum.size(); ++i) out.as<Scalar>()[i] += static_cast<Scalar>(sum[i]);
    };
    accumulate(dWeight, dWeightSum);
    accumulate(dBias, dBiasSum);
  });
}

}  // namespace moe
