#pragma once
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/tensor/tensor.h"

namespace moe::test {

/// An f64 tensor holding these numbers.
inline Tensor numbers(Shape shape, const std::vector<double>& values) {
  Tensor tensor = hostTensor(shape, DType::f64);
  assert(static_cast<std::int64_t>(values.size()) == shape.elements());
  std::copy(values.begin(), values.end(), tensor.as<double>());
  return tensor;
}

inline std::vector<double> valuesOf(const TensorView& tensor) {
  const auto span = tensor.span<double>();
  return {span.begin(), span.end()};
}

/// The largest distance between two lists; infinite where their lengths differ.
inline double distance(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() != b.size()) return std::numeric_limits<double>::infinity();
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace moe::test
