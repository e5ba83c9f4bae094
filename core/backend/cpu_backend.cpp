#include "core/backend/cpu_backend.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/router/bias_update.h"
#include "core/tensor/scalar.h"

namespace moe {

std::span<double> CpuBackend::inDispatchOrder(const TensorView& dAssignment, const Dispatch& dispatch) {
  if (dAssignment.empty()) return {};
  assert(dAssignment.elements() >= dispatch.assignments());
  return dAssignment.span<double>().first(static_cast<std::size_t>(dispatch.assignments()));
}

void CpuBackend::finishBalance(const TensorView& totals, std::span<Routing* const> layers, const Recipe& recipe,
                               const GlobalBatchStatistics* global) {
  const auto timed = timer_.time("balance");
  assert(totals.elements() == 2 + static_cast<std::int64_t>(recipe.balance.size()));
  const BalanceTotals found = moe::finishBalance(layers, recipe, global);
  const auto out = totals.span<double>();
  out[0] = found.loss - found.zLoss;
  out[1] = found.zLoss;
  std::ranges::copy(found.value, out.begin() + 2);
}

void CpuBackend::summarise(const TensorView& out, const Routing& routing, const Recipe& recipe, bool measuring) {
  const auto timed = timer_.time("summary");
  moe::summarise({out.span<double>(), routing.experts}, routing, recipe, measuring, unbiased_);
}

void CpuBackend::updateSelectionBias(const TensorView& bias, const TensorView& counts,
                                     const Recipe::Adjust::SelectionBias& rule) {
  const auto timed = timer_.time("selection bias");
  const auto from = counts.span<double>();
  counts_.assign(from.begin(), from.end());
  moe::updateSelectionBias(bias.span<float>(), counts_, rule);
}

void CpuBackend::sum(const TensorView& out, const TensorView& in) {
  const auto timed = timer_.time("sum");
  assert(out.elements() == 1);
  double sum = 0;
  withScalar(in.dtype, [&]<class Scalar>() {
    for (const Scalar value : in.span<Scalar>()) sum += static_cast<double>(value);
  });
  *out.as<double>() = sum;
}

void CpuBackend::scaleGradients(const TensorView& update, const TensorView& squares, const TensorView& loss,
                                double clip) {
  const auto timed = timer_.time("scale gradients");
  assert(update.elements() == 2 && loss.elements() == 1);
  double sum = 0;
  for (const double square : squares.span<double>()) sum += square;
  const double norm = std::sqrt(sum);
  double scale = clip > 0 && norm > clip ? clip / norm : 1;
  if (!std::isfinite(norm) || !std::isfinite(*loss.as<double>())) scale = 0;
  update.as<double>()[0] = norm;
  update.as<double>()[1] = scale;
}

}  // namespace moe
