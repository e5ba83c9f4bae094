#include <algorithm>
#include <cmath>

#include "core/backend/reference/reference_backend.h"
#include "core/tensor/scalar.h"

namespace moe {

void ReferenceBackend::crossEntropy(const TensorView& losses, const TensorView& logits,
                                    std::span<const std::int32_t> targets, double gradientScale) {
  const auto timed = timer_.time("cross entropy");
  const std::int64_t vocabulary = logits.shape[1];
  assert(logits.shape[0] == static_cast<std::int64_t>(targets.size()) && losses.elements() == logits.shape[0]);
  assert(losses.dtype == logits.dtype);
  withScalar(logits.dtype, [&]<class Scalar>() {
    for (std::size_t t = 0; t < targets.size(); ++t) {
      Scalar* row = logits.as<Scalar>() + static_cast<std::int64_t>(t) * vocabulary;
      const std::int32_t target = targets[t];
      assert(target < vocabulary);
      if (target < 0) {
        losses.as<Scalar>()[t] = 0;
        if (gradientScale != 0) std::fill_n(row, vocabulary, Scalar{0});
        continue;
      }
      const double largest = *std::max_element(row, row + vocabulary);
      double sum = 0;
      for (std::int64_t i = 0; i < vocabulary; ++i) sum += std::exp(row[i] - largest);
      const double logSum = largest + std::log(sum);
      losses.as<Scalar>()[t] = static_cast<Scalar>(logSum - row[target]);
      if (gradientScale == 0) continue;
      for (std::int64_t i = 0; i < vocabulary; ++i)
        row[i] = static_cast<Scalar>(gradientScale * (std::exp(row[i] - logSum) - (i == target ? 1 : 0)));
    }
  });
}

}  // namespace moe
