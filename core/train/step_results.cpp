#include "core/train/step_results.h"

#include "core/backend/backend.h"

namespace moe {
namespace {

/// Each piece begins on a cache line.
std::int64_t padded(std::int64_t elements) { return (elements + 7) / 8 * 8; }

}  // namespace

void StepResults::fit(Backend& backend, Layout layout) {
  if (!device_.empty() && layout == layout_) return;
  layout_ = std::move(layout);
  losses_ = padded(2);
  balances_ = losses_ + padded(layout_.microBatches);
  balanceStride_ = padded(2 + layout_.terms);
  std::int64_t end = balances_ + balanceStride_ * layout_.microBatches;
  summaries_.clear();
  for (const std::int64_t size : layout_.summaries) {
    summaries_.push_back(end);
    end += padded(size);
  }
  device_ = backend.allocate({end}, DType::f64);
  for (Tensor& row : host_) row = backend.allocateHost({end}, DType::f64);
}

TensorView StepResults::balance(std::int64_t micro) const {
  return part(balances_ + micro * balanceStride_, 2 + layout_.terms);
}

std::span<double> StepResults::balanceOf(std::size_t turn, std::int64_t micro) const {
  return hostPart(turn, balances_ + micro * balanceStride_, 2 + layout_.terms);
}

}  // namespace moe
